// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "common/base/text.hpp"
#include "common/mailauth/dkim/key_record.hpp"
#include "common/mailauth/dkim/sign.hpp"
#include "common/mailauth/dkim/verify.hpp"
#include "common/mailauth/dns_table.hpp"
#include "common/os/file.hpp"
#include "tests/unit/mailauth/spf_suite.hpp"

namespace gk::mailauth::dkim {

constexpr std::int64_t kNow = 1'790'000'000;

inline std::string data_file(const std::string& name) {
    auto bytes = os::read_file(spf::source_directory() + "/tests/data/dkim/" + name);
    if (!bytes) throw std::runtime_error(bytes.error().text);
    return *bytes;
}
inline std::string crlf(const std::string& lf) { return text::replace_all(lf, "\n", "\r\n"); }

inline std::vector<Verified> verify(std::string_view message, DnsSource& dns, std::size_t step = std::string_view::npos,
                                    std::int64_t now_s = kNow, const Limits& limits = {}) {
    Verifier verifier(now_s, limits);
    for (std::size_t at = 0; at < message.size();) {
        const auto piece = message.substr(at, step);
        verifier.feed(piece);
        at += piece.size();
    }
    return verifier.finish(dns);
}

// Two keys of a.test, made once, with their records in DNS.
struct Keys {
    PrivateKey rsa = PrivateKey::generate(Algorithm::RsaSha256, 1024).value();
    PrivateKey ed25519 = PrivateKey::generate(Algorithm::Ed25519Sha256).value();
    DnsTable dns;
    Keys() {
        dns.add("r._domainkey.a.test", "TXT", format_key_record(rsa));
        dns.add("e._domainkey.a.test", "TXT", format_key_record(ed25519));
    }
    SignWith with(Algorithm algorithm) const {
        const PrivateKey& key = algorithm == Algorithm::RsaSha256 ? rsa : ed25519;
        return {"a.test", algorithm == Algorithm::RsaSha256 ? "r" : "e", "", algorithm,
                [&key](std::string_view digest) { return key.sign(digest); }};
    }
};
inline const Keys& keys() {
    static const Keys made;
    return made;
}

inline std::string sign(std::string_view message, SignOptions options = {},
                        std::vector<SignWith> with = {keys().with(Algorithm::Ed25519Sha256)}) {
    if (options.timestamp_s == 0) options.timestamp_s = kNow;
    Signer signer(std::move(options));
    signer.feed(message);
    auto fields = signer.finish(with);
    return fields ? *fields + std::string(message) : "error: " + fields.error().text;
}

inline const std::string kMessage =
    "From: Ann <ann@a.test>\r\nTo: Bob <bob@b.test>\r\nSubject:  folded\r\n\t subject \r\nX-Other: 1\r\n\r\n"
    "Hello,\r\n\r\nthis  is \t a line \r\n.\r\n\r\n\r\n";

}  // namespace gk::mailauth::dkim
