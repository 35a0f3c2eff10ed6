// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/mailauth/dns_source.hpp"
#include "common/mailauth/ip.hpp"

// SPF: may this address send for this domain (RFC 7208, with RFC 8616 for names and local parts beyond ASCII).
namespace gk::mailauth::spf {

enum class Verdict { None, Neutral, Pass, Fail, SoftFail, TempError, PermError };
std::string_view verdict_name(Verdict verdict) noexcept;  // "none", "softfail" …: as in Authentication-Results

enum class Identity { Helo, MailFrom };
std::string_view identity_name(Identity identity) noexcept;  // "helo", "mailfrom"

struct Facts {
    Ip ip;  // of the client
    std::string helo;
    std::string mail_from;             // the reverse-path without brackets; empty for <>
    std::string receiver = "unknown";  // our host name, for explanations
    std::int64_t now_s = 0;
};

struct Limits {
    unsigned lookups = 10;                   // terms that ask DNS (4.6.4)
    unsigned void_lookups = 2;               // of these, how many may find nothing
    unsigned mx_hosts = 10;                  // of one mx: more is an error
    unsigned ptr_names = 10;                 // of one ptr: more are not looked at
    std::chrono::milliseconds time{20'000};  // for the whole check; past it the answer is temperror
};

struct Checked {
    Verdict verdict = Verdict::None;
    Identity identity = Identity::MailFrom;
    std::string domain;       // that was checked, in A-labels
    std::string reason;       // for logs and people: "a.test: matched '-all'"; untrusted bytes escaped
    std::string explanation;  // from exp=, only where it is a fail; written by that domain: quote it as theirs
    unsigned lookups = 0, void_lookups = 0;
};

// The HELO identity (2.3): postmaster@HELO.
Checked check_helo(const Facts& facts, DnsSource& dns, const Limits& limits = {});
// The MAIL FROM identity (2.4); for the null reverse-path that is postmaster@HELO, and IDENTITY of the answer says so.
Checked check_mail_from(const Facts& facts, DnsSource& dns, const Limits& limits = {});

}  // namespace gk::mailauth::spf
