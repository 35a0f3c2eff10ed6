// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/mailauth/dns_source.hpp"

namespace gk::reports {

struct PostOptions {
    std::string media_type;          // application/tlsrpt+gzip
    bool private_addresses = false;  // reports.https_private: also to loopback and private networks, and to any port
    std::int64_t timeout_s = 60;
};

// POSTs BODY to an https: URI (RFC 8460, 5.4): certificate and name are verified, redirects are not followed, the
// answer is not read. DNS gives the addresses; those of private networks are refused, since the URI is a stranger's.
// Permanent: refused by us or with a 4xx; Temporary otherwise. Not safe beside other threads' first call.
Status https_post(const std::string& uri, std::string_view body, mailauth::DnsSource& dns, const PostOptions& options);

// Whom an https: URI names, in lower case; nothing where it is not such a URI, or where others might read another host
// from it than we: user names, escapes, addresses in any notation, a final dot.
struct PostHost {
    std::string name;
    std::uint16_t port = 443;
};
std::optional<PostHost> host_of_uri(std::string_view uri);

// False for loopback, private, link-local, shared, multicast and unspecified addresses, of either family.
bool is_public_address(std::string_view ip);

}  // namespace gk::reports
