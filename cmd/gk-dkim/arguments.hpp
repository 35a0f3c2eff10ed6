// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"
#include "common/mailauth/dkim/rotation.hpp"
#include "common/mailauth/open_source.hpp"

namespace gk::dkim_tool {

struct Arguments {
    mailauth::DnsChoice dns;
    bool json = false;

    std::string domain, selector;
    std::string algorithm = "both";
    std::int64_t bits = 2048;
    bool active = false;                // genkey: sign with it at once
    bool check = false;                 // dns: compare with what is published
    bool all = false, dry_run = false;  // rotate
    bool yes = false;                   // revoke

    std::string file = "-";
    std::string key_file;  // sign: a key outside the store
    std::string canon = "relaxed/relaxed";
    std::string expires;
    bool fields_only = false;
};

// The store below --root; as root, its owner is taken on first.
Result<mailauth::dkim::KeyStore> open_store(const Arguments& arguments);
// The configuration, or the defaults where there is none yet. To be read before the store is opened.
Result<config::Config> settings_of(const Arguments& arguments);
mailauth::dkim::RotationSettings rotation_settings(const config::Config& config);
// As it is written in keys/dkim; an error where it is none.
Result<std::string> domain_of(const std::string& name);

int genkey(const Arguments& arguments);
int list(const Arguments& arguments);
int dns(const Arguments& arguments);
int sign(const Arguments& arguments);
int rotate(const Arguments& arguments);
int revoke(const Arguments& arguments);
int verify(const Arguments& arguments);
int serve(const Arguments& arguments);

}  // namespace gk::dkim_tool
