// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/dns/resolver.hpp"
#include "common/mailauth/dns_source.hpp"

// Whether DNS shows a key of ours, asked of every server that others may ask.
namespace gk::mailauth::dkim {

struct Sight {
    std::string server;  // "ns1.a.test [192.0.2.53]", "192.0.2.53@5353", "the file"
    Lookup<std::string> txt;
};
// What each server shows at NAME, which is below DOMAIN. Temporary where they could not be found.
using LookEverywhere = std::function<Result<std::vector<Sight>>(const std::string& domain, const std::string& name)>;

// SERVERS (IP, IP@PORT, [IP]:PORT): these; none: the zone's own, found through OPTIONS. Each is asked as an authority,
// past every cache.
LookEverywhere look_at_servers(dns::Options options, std::vector<std::string> servers);
// One source that speaks for all of DNS. It must outlive the answer.
LookEverywhere look_at_source(DnsSource& source);

// What DNS shows in place of RECORD at one server: "published", "missing", "revoked", "differs: …" or an error's text.
std::string compare_key(const Lookup<std::string>& shown, const std::string& record);

struct Agreement {
    bool everywhere = false;  // every server shows it
    bool nowhere = false;     // no server shows anything at the name
    bool temporary = false;   // one could not be asked
    std::string text;         // for people: "ns2.a.test [192.0.2.2]: missing"
};
Agreement agree(const std::vector<Sight>& sights, const std::string& record);

}  // namespace gk::mailauth::dkim
