// SPDX-License-Identifier: MIT
#include "common/auth/mechanisms.hpp"

#include "common/config/config.hpp"

namespace gk::auth {

namespace {

std::vector<std::string> offer(bool tls, bool has_cb, bool scram, bool plaintext) {
    std::vector<std::string> names;
    if (scram && tls && has_cb) names.push_back("SCRAM-SHA-256-PLUS");
    if (scram) names.push_back("SCRAM-SHA-256");
    if (plaintext) names.insert(names.end(), {"PLAIN", "LOGIN"});
    return names;
}

}  // namespace

std::vector<std::string> mechanisms(const config::Config& config, bool tls, bool has_cb) {
    const std::string& scram = config.string("auth.scram");
    // With argon2id a client that picks SCRAM fails with the right main password, so it is not offered unasked.
    const bool offer_scram = scram == "always" || (scram == "auto" && config.string("auth.main") == "scram-sha-256");
    return offer(tls, has_cb, offer_scram, tls || config.boolean("auth.plaintext_without_tls"));
}

std::vector<std::string> mechanisms(bool tls, bool has_cb) { return offer(tls, has_cb, true, tls); }

}  // namespace gk::auth
