// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dns_source.hpp"
#include "common/mailauth/ip.hpp"

namespace gk::mailauth {

// As Authentication-Results names them (RFC 8601, 2.7.3).
enum class IprevVerdict {
    Pass,       // a name of the address leads back to it
    Fail,       // it has names, and none of them does
    TempError,  // DNS did not answer, and what it did answer decides nothing
    PermError,  // it has no name
};
std::string_view iprev_verdict_name(IprevVerdict verdict) noexcept;

struct IprevChecked {
    IprevVerdict verdict = IprevVerdict::PermError;
    std::string name;    // the first name that leads back, lower case, ASCII; empty unless Pass
    std::string reason;  // for logs and people; untrusted bytes escaped
    unsigned lookups = 0;
};

constexpr std::size_t kIprevNames =
    10;  // of one address, as for ptr of SPF (RFC 7208, 4.6.4); the rest is not looked at

// The name of an address that is confirmed by the address of the name (RFC 8601, 3). At most 1 + kIprevNames lookups.
IprevChecked check_iprev(const Ip& ip, DnsSource& dns);

}  // namespace gk::mailauth
