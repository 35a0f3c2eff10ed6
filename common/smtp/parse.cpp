// SPDX-License-Identifier: MIT
#include <array>

#include "common/base/text.hpp"
#include "common/smtp/command.hpp"

namespace gk::smtp {
namespace {

using Parsed = tl::expected<Command, Complaint>;

constexpr std::size_t kMaxEnvid = 100;  // RFC 3461, 4.4
constexpr std::size_t kMaxOrcpt = 500;  // RFC 3461, 4.2
constexpr std::size_t kMaxTrace = 64;   // as queue ids

tl::unexpected<Complaint> complain(int code, std::string_view enhanced, std::string text) {
    return tl::unexpected<Complaint>(Complaint{code, enhanced, std::move(text)});
}
tl::unexpected<Complaint> bad_argument(std::string text) { return complain(501, "5.5.4", std::move(text)); }

// A word up to the next space.
std::string_view take_word(std::string_view& rest) {
    const auto end = std::min(rest.find(' '), rest.size());
    const auto word = rest.substr(0, end);
    rest.remove_prefix(end);
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    return word;
}

// The path, which may hold spaces and ">" inside quotes, off the front of REST.
std::string_view take_angle_path(std::string_view& rest) {
    if (!rest.starts_with('<')) return {};
    bool quoted = false;
    for (std::size_t i = 1; i < rest.size(); ++i) {
        if (quoted && rest[i] == '\\') ++i;
        else if (rest[i] == '"') quoted = !quoted;
        else if (rest[i] == '>' && !quoted) {
            const auto path = rest.substr(0, i + 1);
            rest.remove_prefix(i + 1);
            return path;
        }
    }
    return {};
}

// esmtp-param = esmtp-keyword ["=" esmtp-value]  (RFC 5321, 4.1.2)
struct Parameter {
    std::string_view keyword;
    std::optional<std::string_view> value;
};

Parameter take_parameter(std::string_view& rest) {
    const auto word = take_word(rest);
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) return {word, std::nullopt};
    return {word.substr(0, equals), word.substr(equals + 1)};
}

Parsed parse_helo(Helo::Kind kind, std::string_view argument) {
    // ehlo = "EHLO" SP ( Domain / address-literal ) CRLF  (RFC 5321, 4.1.1.1). Names that break the rules are
    // common (desktops send what they are called) and harmless; what could forge a Received field is not taken.
    argument = text::trim(argument);
    if (argument.empty()) return bad_argument("a name is missing: EHLO host.example");
    if (argument.size() > 255) return bad_argument("the name is too long");
    for (const char c : argument) {
        const bool fine = text::is_alpha(c) || text::is_digit(c) || static_cast<unsigned char>(c) >= 0x80 ||
                          std::string_view(".-_:[]").find(c) != std::string_view::npos;
        if (!fine) return bad_argument("that is no domain name or address literal");
    }
    if (!text::is_utf8(argument)) return bad_argument("that is no domain name or address literal");
    return Helo{kind, std::string(argument)};
}

tl::expected<std::string_view, Complaint> after_keyword(std::string_view argument, std::string_view keyword) {
    if (!text::starts_with_nocase(argument, keyword))
        return complain(501, "5.5.4", "expected " + std::string(keyword) + "<address>");
    argument.remove_prefix(keyword.size());
    // "MAIL FROM: <a@b>": the space is none of RFC 5321's, but PHP's and Microsoft's clients send it.
    while (argument.starts_with(' ')) argument.remove_prefix(1);
    return argument;
}

// One parameter of MAIL; nothing on success.
std::optional<Complaint> mail_parameter(Mail& mail, const Parameter& parameter, Dialect dialect) {
    const auto is = [&](std::string_view name) { return text::equals_nocase(parameter.keyword, name); };
    const auto wrong = [&](std::string text) { return Complaint{501, "5.5.4", std::move(text)}; };
    const std::string_view value = parameter.value.value_or("");
    if (is("SIZE")) {  // RFC 1870, 4: up to 20 digits
        if (mail.size || value.empty() || value.size() > 20) return wrong("SIZE wants a number, once");
        mail.size = text::to_uint(value);
        if (!mail.size) return wrong("SIZE wants a number, once");
    } else if (is("BODY")) {
        if (mail.body_given) return wrong("BODY was given twice");
        mail.body_given = true;
        if (text::equals_nocase(value, "7BIT")) mail.body = Body::SevenBit;
        else if (text::equals_nocase(value, "8BITMIME")) mail.body = Body::EightBit;
        else if (text::equals_nocase(value, "BINARYMIME")) mail.body = Body::Binary;
        else return wrong("BODY is 7BIT, 8BITMIME or BINARYMIME");
    } else if (is("SMTPUTF8")) {
        if (parameter.value || mail.smtputf8) return wrong("SMTPUTF8 stands alone, once");
        mail.smtputf8 = true;
    } else if (is("REQUIRETLS")) {
        if (parameter.value || mail.require_tls) return wrong("REQUIRETLS stands alone, once");
        mail.require_tls = true;
    } else if (is("RET")) {
        if (mail.ret != Ret::None) return wrong("RET was given twice");
        if (text::equals_nocase(value, "FULL")) mail.ret = Ret::Full;
        else if (text::equals_nocase(value, "HDRS")) mail.ret = Ret::Headers;
        else return wrong("RET is FULL or HDRS");
    } else if (is("HOLDFOR")) {  // RFC 4865, 3: 1 to 9 digits, and one of the two only
        if (mail.hold_for || mail.hold_until || value.empty() || value.size() > 9 || value.front() == '0')
            return wrong("HOLDFOR wants seconds, once, and without HOLDUNTIL");
        mail.hold_for = text::to_uint(value);
        if (!mail.hold_for) return wrong("HOLDFOR wants seconds, once, and without HOLDUNTIL");
    } else if (is("HOLDUNTIL")) {
        if (mail.hold_for || mail.hold_until) return wrong("HOLDUNTIL stands once, and without HOLDFOR");
        mail.hold_until = parse_rfc3339(value);
        if (!mail.hold_until) return wrong("HOLDUNTIL wants a time: 2027-01-31T08:00:00Z");
    } else if (is("ENVID")) {
        if (!mail.envid.empty() || value.empty() || value.size() > kMaxEnvid || !is_xtext(value))
            return wrong("ENVID wants xtext of at most 100 characters, once");
        mail.envid = value;
    } else if (is("AUTH")) {  // RFC 4954, 5
        if (!mail.auth.empty() || value.empty() || value.size() > kMaxOrcpt || !is_xtext(value))
            return wrong("AUTH wants an xtext mailbox or <>, once");
        mail.auth = value;
    } else if (dialect.lmtp && is("XGKTRACE")) {
        if (!mail.trace.empty() || value.empty() || value.size() > kMaxTrace)
            return wrong("XGKTRACE wants an id, once");
        for (const char c : value)
            if (!text::is_alpha(c) && !text::is_digit(c)) return wrong("XGKTRACE wants letters and digits");
        mail.trace = value;
    } else {
        return Complaint{555, "5.5.4", "parameter " + text::printable(parameter.keyword, 40) + " is not known"};
    }
    return std::nullopt;
}

Parsed parse_mail(std::string_view argument, Dialect dialect) {
    // mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF  (RFC 5321, 4.1.1.2)
    auto rest = after_keyword(argument, "FROM:");
    if (!rest) return tl::unexpected<Complaint>(rest.error());
    const auto path = parse_path(take_angle_path(*rest));
    if (!path || (!rest->empty() && rest->front() != ' '))
        return complain(501, "5.1.7", "malformed reverse-path: MAIL FROM:<ann@a.example>");
    Mail mail;
    mail.path = *path;
    *rest = text::trim(*rest);
    while (!rest->empty())
        if (auto wrong = mail_parameter(mail, take_parameter(*rest), dialect))
            return tl::unexpected<Complaint>(std::move(*wrong));
    return mail;
}

std::optional<unsigned> parse_notify(std::string_view value) {
    unsigned notify = 0;
    for (const auto word : text::split(value, ',')) {
        unsigned bit = 0;
        if (text::equals_nocase(word, "NEVER")) bit = kNotifyNever;
        else if (text::equals_nocase(word, "SUCCESS")) bit = kNotifySuccess;
        else if (text::equals_nocase(word, "FAILURE")) bit = kNotifyFailure;
        else if (text::equals_nocase(word, "DELAY")) bit = kNotifyDelay;
        else return std::nullopt;
        if ((notify & bit) != 0) return std::nullopt;
        notify |= bit;
    }
    if ((notify & kNotifyNever) != 0 && notify != kNotifyNever) return std::nullopt;
    return notify;
}

// original-recipient-address = addr-type ";" xtext  (RFC 3461, 4.2; RFC 6533, 3 adds utf-8)
bool is_orcpt(std::string_view value) {
    const auto semicolon = value.find(';');
    if (semicolon == std::string_view::npos || semicolon == 0 || semicolon + 1 == value.size() ||
        value.size() > kMaxOrcpt)
        return false;
    const auto type = value.substr(0, semicolon), address = value.substr(semicolon + 1);
    for (const char c : type)
        if (!text::is_alpha(c) && !text::is_digit(c) && c != '-') return false;
    if (!text::equals_nocase(type, "utf-8")) return is_xtext(address);
    for (const char c : address)
        if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return false;
    return text::is_utf8(address);
}

Parsed parse_rcpt(std::string_view argument) {
    // rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF
    auto rest = after_keyword(argument, "TO:");
    if (!rest) return tl::unexpected<Complaint>(rest.error());
    const auto path = parse_path(take_angle_path(*rest));
    if (!path || path->is_null() || (!rest->empty() && rest->front() != ' '))
        return complain(501, "5.1.3", "malformed forward-path: RCPT TO:<bob@b.example>");
    Rcpt rcpt;
    rcpt.path = *path;
    *rest = text::trim(*rest);
    bool notify_given = false;
    while (!rest->empty()) {
        const auto parameter = take_parameter(*rest);
        const std::string_view value = parameter.value.value_or("");
        if (text::equals_nocase(parameter.keyword, "NOTIFY")) {
            const auto notify = parse_notify(value);
            if (notify_given || !notify) return bad_argument("NOTIFY is NEVER, or some of SUCCESS, FAILURE and DELAY");
            notify_given = true;
            rcpt.notify = *notify;
        } else if (text::equals_nocase(parameter.keyword, "ORCPT")) {
            if (!rcpt.orcpt.empty() || !is_orcpt(value)) return bad_argument("ORCPT wants type;xtext, once");
            rcpt.orcpt = value;
        } else {
            return complain(555, "5.5.4", "parameter " + text::printable(parameter.keyword, 40) + " is not known");
        }
    }
    return rcpt;
}

Parsed parse_bdat(std::string_view argument) {
    // bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF  (RFC 3030, 2)
    argument = text::trim(argument);
    const auto size = text::to_uint(take_word(argument));
    if (!size) return bad_argument("BDAT wants a number");
    const bool last = text::equals_nocase(argument, "LAST");
    if (!last && !argument.empty()) return bad_argument("after the size only LAST may stand");
    return Bdat{*size, last};
}

Parsed parse_auth(std::string_view argument) {
    // "AUTH" SP sasl-mech [SP (initial-response / "=")]  (RFC 4954, 4)
    argument = text::trim(argument);
    Auth auth{text::upper(take_word(argument)), std::nullopt};
    if (auth.mechanism.empty() || auth.mechanism.size() > 20) return bad_argument("a mechanism is missing: AUTH PLAIN");
    for (const char c : auth.mechanism)
        if (!text::is_alpha(c) && !text::is_digit(c) && c != '-' && c != '_')
            return bad_argument("that is no mechanism's name");
    if (!argument.empty()) auth.initial = std::string(argument);
    return auth;
}

template <class T>
Parsed without_argument(std::string_view argument) {
    if (!text::trim(argument).empty()) return bad_argument("no argument is permitted here");
    return T{};
}

}  // namespace

tl::expected<Command, Complaint> parse_command(std::string_view line, Dialect dialect) {
    for (const char c : line)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            if (c != '\t') return complain(500, "5.5.2", "control characters are not permitted in a command");
    if (!text::is_utf8(line)) return complain(500, "5.5.2", "bytes that are not UTF-8");
    const auto end = std::min(line.find(' '), line.size());
    const std::string verb = text::upper(line.substr(0, std::min<std::size_t>(end, 16)));
    std::string_view argument = end < line.size() ? line.substr(end + 1) : std::string_view();
    while (argument.starts_with(' ')) argument.remove_prefix(1);

    if (verb == "MAIL") return parse_mail(argument, dialect);
    if (verb == "RCPT") return parse_rcpt(argument);
    if (verb == "DATA") return without_argument<Data>(argument);
    if (verb == "BDAT") return parse_bdat(argument);
    if (!dialect.lmtp && verb == "EHLO") return parse_helo(Helo::Kind::Ehlo, argument);
    if (!dialect.lmtp && verb == "HELO") return parse_helo(Helo::Kind::Helo, argument);
    if (dialect.lmtp && verb == "LHLO") return parse_helo(Helo::Kind::Lhlo, argument);
    if (verb == "RSET") return without_argument<Rset>(argument);
    if (verb == "NOOP") return Noop{};
    if (verb == "QUIT") return without_argument<Quit>(argument);
    if (verb == "STARTTLS") return without_argument<StartTls>(argument);
    if (verb == "AUTH") return parse_auth(argument);
    if (verb == "VRFY") return Vrfy{std::string(text::trim(argument))};
    if (verb == "EXPN") return Expn{std::string(text::trim(argument))};
    if (verb == "HELP") return Help{std::string(text::trim(argument))};
    return complain(500, "5.5.1", "command not recognised");
}

}  // namespace gk::smtp
