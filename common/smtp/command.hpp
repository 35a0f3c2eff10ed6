// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

// The grammar of SMTP and LMTP (RFC 5321, 4.1.2, with the extensions gk offers): a line to a typed command.
namespace gk::smtp {

// A reverse-path or forward-path. The source route (RFC 5321, 4.1.2 and appendix C) is read and dropped.
struct Path {
    std::string local_part;  // as meant: quotes and backslashes removed
    std::string
        domain;  // lower case in ASCII letters; "[192.0.2.1]" for an address literal; empty for <> and <postmaster>
    bool had_route = false;

    bool is_null() const noexcept { return local_part.empty() && domain.empty(); }
    bool is_literal() const noexcept { return !domain.empty() && domain.front() == '['; }
    bool is_postmaster() const noexcept;  // <postmaster> with any domain or none, in any case
    bool is_ascii() const noexcept;
    // "ann@a.test", quoted again where the local-part needs it; "" for the null path, "postmaster" for <postmaster>.
    std::string to_string() const;
};

enum class Body { SevenBit, EightBit, Binary };  // RFC 6152, RFC 3030
enum class Ret { None, Full, Headers };          // RFC 3461, 4.3
enum Notify : unsigned {
    kNotifyDefault = 0,
    kNotifyNever = 1,
    kNotifySuccess = 2,
    kNotifyFailure = 4,
    kNotifyDelay = 8
};

struct Helo {
    enum class Kind { Helo, Ehlo, Lhlo } kind;
    std::string domain;
};
struct Mail {
    Path path;
    std::optional<std::uint64_t> size;  // RFC 1870
    Body body = Body::SevenBit;
    bool body_given = false;
    bool smtputf8 = false;     // RFC 6531
    bool require_tls = false;  // RFC 8689
    Ret ret = Ret::None;
    std::optional<std::uint64_t> hold_for;  // HOLDFOR, seconds (RFC 4865)
    std::optional<TimePoint> hold_until;    // HOLDUNTIL; the session turns HOLDFOR into it
    std::string envid;                      // xtext as sent, validated
    std::string auth;                       // RFC 4954, 5; xtext as sent, validated
    std::string trace;                      // XGKTRACE (LMTP only)
};
struct Rcpt {
    Path path;
    unsigned notify = kNotifyDefault;  // RFC 3461, 4.1: NEVER stands alone
    std::string orcpt;                 // "rfc822;xtext" as sent, validated
};
struct Data {};
struct Bdat {
    std::uint64_t size = 0;
    bool last = false;
};
struct Rset {};
struct Noop {};
struct Quit {};
struct StartTls {};
struct Auth {
    std::string mechanism;
    std::optional<std::string> initial;
};  // base64 as sent; "=" is the empty response
struct Vrfy {
    std::string argument;
};
struct Expn {
    std::string argument;
};
struct Help {
    std::string argument;
};

using Command = std::variant<Helo, Mail, Rcpt, Data, Bdat, Rset, Noop, Quit, StartTls, Auth, Vrfy, Expn, Help>;

// A complaint as the protocol says it: "501", "5.5.4", "text".
struct Complaint {
    int code;
    std::string_view enhanced;
    std::string text;
};

struct Dialect {
    bool lmtp = false;  // LHLO and XGKTRACE, no HELO or EHLO
};

// LINE comes without its CRLF. Never throws; any bytes are fine.
tl::expected<Command, Complaint> parse_command(std::string_view line, Dialect dialect = {});

// The parts, for other users of the same words.
std::optional<Path> parse_path(std::string_view angle_path);  // "<ann@a.test>", "<@r:ann@a.test>", "<>", "<postmaster>"
std::optional<Path> parse_mailbox(std::string_view mailbox);  // "ann@a.test"
bool is_domain(std::string_view s) noexcept;                  // RFC 5321 Domain, with U-labels (RFC 6531)
bool is_address_literal(std::string_view s) noexcept;         // "[192.0.2.1]", "[IPv6:2001:db8::1]"
bool is_xtext(std::string_view s) noexcept;                   // RFC 3461, 4
std::string format_notify(unsigned notify);                   // "SUCCESS,FAILURE"; "" for the default

}  // namespace gk::smtp
