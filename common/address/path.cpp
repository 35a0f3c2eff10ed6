// SPDX-License-Identifier: MIT
#include "common/address/path.hpp"

#include <arpa/inet.h>

#include "common/address/grammar.hpp"
#include "common/base/text.hpp"
#include "common/charset/charset.hpp"

namespace gk::address {

namespace {

using grammar::is_atext;

bool is_dot_string(std::string_view s) noexcept {
    if (s.empty() || s.front() == '.' || s.back() == '.') return false;
    bool after_dot = false;
    for (const char c : s) {
        if (c == '.' ? after_dot : !is_atext(c)) return false;
        after_dot = c == '.';
    }
    return true;
}

tl::unexpected<Error> bad(std::string text) { return fail(Errc::BadInput, std::move(text)); }

// Quoted-string of RFC 5321, 4.1.2 (QtextSMTP, quoted-pairSMTP); 8-bit where UTF8 (RFC 6531, 3.3).
Status read_quoted(std::string_view& rest, bool utf8, std::string& local) {
    std::size_t i = 1;
    for (; i < rest.size(); ++i) {
        char c = rest[i];
        if (c == '"') {
            rest.remove_prefix(i + 1);
            return ok();
        }
        if (c == '\\') {
            if (++i == rest.size()) break;
            c = rest[i];
            if (c < 0x20 || c == 0x7F) return bad("malformed quoted pair in the local part");
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F ||
                   (static_cast<unsigned char>(c) >= 0x80 && !utf8)) {
            return bad("character not permitted in the quoted local part");
        }
        local += c;
        if (local.size() > max_local_part(local)) return bad("local part is longer than 64 octets");
    }
    return bad("quoted local part does not end");
}

}  // namespace

std::size_t max_local_part(std::string_view local_part) noexcept {
    const bool rewritten = local_part.size() > 5 && text::starts_with_nocase(local_part, "SRS") &&
                           (local_part[3] == '0' || local_part[3] == '1') &&
                           std::string_view("=+-").find(local_part[4]) != std::string_view::npos;
    return rewritten ? kMaxRewrittenLocalPart : kMaxLocalPart;
}

namespace {

Result<Address> read_mailbox(std::string_view& rest, Rules rules) {
    Address address;
    if (!rest.empty() && rest[0] == '"') {
        GK_CHECK(read_quoted(rest, rules.utf8, address.local_part));
    } else {
        std::size_t n = 0;
        while (n < rest.size() && (rest[n] == '.' || is_atext(rest[n]))) ++n;
        const std::string_view local = rest.substr(0, n);
        if (n == 0) return bad("address has no local part");
        if (n > max_local_part(local)) return bad("local part is longer than 64 octets");
        if (!rules.utf8 && !text::is_ascii(local)) return bad("address is not ASCII, and SMTPUTF8 was not asked for");
        if (!is_dot_string(local)) return bad("malformed local part");
        address.local_part = local;
        rest.remove_prefix(n);
    }
    if (!text::is_utf8(address.local_part)) return bad("local part is not UTF-8");
    if (rest.empty() || rest[0] != '@') {
        if (rules.bare_postmaster && text::equals_nocase(address.local_part, "postmaster")) return address;
        return bad("address has no domain");
    }
    rest.remove_prefix(1);
    const bool literal = !rest.empty() && rest[0] == '[';
    std::size_t n = 0;
    if (literal) {
        n = rest.find(']');
        n = n == std::string_view::npos ? rest.size() : n + 1;
    } else {
        while (n < rest.size() && grammar::is_domain_char(rest[n])) ++n;
    }
    std::string_view domain = rest.substr(0, n);
    rest.remove_prefix(n);
    if (domain.size() > 1 && domain.back() == '.' && !literal)
        domain.remove_suffix(1);  // rooted, as some clients write it
    GK_CHECK(check_domain(domain, rules.utf8));
    address.domain = domain;
    return address;
}

}  // namespace

std::string unquote_local_part(std::string_view local_part) {
    if (local_part.size() < 2 || local_part.front() != '"') return std::string(local_part);
    std::string plain;
    for (std::size_t i = 1; i + 1 < local_part.size(); ++i) {
        if (local_part[i] == '\\' && i + 2 < local_part.size()) ++i;
        plain += local_part[i];
    }
    return plain;
}

std::string quote_local_part(std::string_view local_part) {
    if (is_dot_string(local_part)) return std::string(local_part);
    std::string out = "\"";
    for (const char c : local_part) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out += '"';
}

std::string Address::text() const {
    std::string out = quote_local_part(local_part);
    if (!domain.empty()) out.append("@").append(domain);
    return out;
}

bool Address::is_ascii() const noexcept { return text::is_ascii(local_part) && text::is_ascii(domain); }

std::string Path::text() const { return null ? "<>" : '<' + address.text() + '>'; }

Status check_domain(std::string_view domain, bool utf8, bool literals) {
    if (domain.empty()) return bad("domain is empty");
    if (domain.size() > kMaxDomain) return bad("domain is longer than 255 octets");
    if (domain[0] == '[') {
        // address-literal (RFC 5321, 4.1.3). A General-address-literal has no registered tag, so none is known.
        if (!literals) return bad("an address literal is not permitted here");
        if (domain.back() != ']') return bad("address literal does not end");
        const std::string inner(domain.substr(1, domain.size() - 2));
        unsigned char parsed[16];
        if (inner.find('\0') == std::string::npos) {
            if (text::starts_with_nocase(inner, "IPv6:") && ::inet_pton(AF_INET6, inner.c_str() + 5, parsed) == 1)
                return ok();
            if (::inet_pton(AF_INET, inner.c_str(), parsed) == 1) return ok();
        }
        return bad("malformed address literal");
    }
    if (!utf8 && !text::is_ascii(domain)) return bad("domain is not ASCII, and SMTPUTF8 was not asked for");
    if (!text::is_utf8(domain)) return bad("domain is not UTF-8");
    std::size_t label = 0;
    char before = '.';
    for (const char c : domain) {
        if (c == '.') {
            if (label == 0 || before == '-') return bad("malformed domain");
            label = 0;
        } else {
            // An underscore is no letter-digit-hyphen, but hosts of internal networks do bear it.
            const bool plain =
                text::is_alpha(c) || text::is_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
            if (!plain && (c != '-' || label == 0)) return bad("malformed domain");
            if (++label > 63 && text::is_ascii(domain)) return bad("domain has a label longer than 63 octets");
        }
        before = c;
    }
    if (label == 0 || before == '-') return bad("malformed domain");
    return ok();
}

Result<Path> parse_path(std::string_view& rest, Rules rules) {
    std::string_view in = rest;
    if (in.empty() || in[0] != '<') return bad("path does not begin with '<'");
    // Bounds the work before anything is read; '>' may also stand in a quoted string, so this is no search for it.
    in = in.substr(1, kMaxPath);
    Path path;
    if (!in.empty() && in[0] == '>') {
        if (!rules.null) return bad("null path is not permitted here");
        path.null = true;
    } else {
        if (!in.empty() && in[0] == '@') {
            // A-d-l ":" (RFC 5321, 4.1.2): accepted, checked for its characters, ignored (appendix C).
            const std::size_t colon = in.find(':');
            if (colon == std::string_view::npos) return bad("malformed source route");
            std::string_view route = in.substr(0, colon);
            in.remove_prefix(colon + 1);
            for (std::size_t comma = 0; comma != std::string_view::npos;) {
                comma = route.find(',');
                const std::string_view hop = route.substr(0, comma);
                if (hop.empty() || hop[0] != '@') return bad("malformed source route");
                GK_CHECK(check_domain(hop.substr(1), rules.utf8));
                if (comma != std::string_view::npos) route.remove_prefix(comma + 1);
            }
        }
        GK_TRY(path.address, read_mailbox(in, rules));
    }
    if (in.empty() || in[0] != '>') return bad("path does not end with '>'");
    in.remove_prefix(1);
    rest.remove_prefix(static_cast<std::size_t>(in.data() - rest.data()));
    return path;
}

Result<Address> parse_address(std::string_view text, bool utf8) {
    if (text.size() > kMaxPath) return bad("address is too long");
    GK_TRY(auto address, read_mailbox(text, {.utf8 = utf8}));
    if (!text.empty()) return bad("characters after the address");
    return address;
}

std::pair<std::string_view, std::string_view> split_subaddress(std::string_view local_part,
                                                               std::string_view separators) {
    const std::size_t at = local_part.find_first_of(separators);
    if (at == std::string_view::npos || at == 0) return {local_part, {}};
    return {local_part.substr(0, at), local_part.substr(at + 1)};
}

std::string canonical_local_part(std::string_view local_part) { return charset::fold_case(local_part); }

std::string canonical(const Address& address) {
    std::string out = quote_local_part(canonical_local_part(address.local_part));
    if (address.domain.empty()) return out;
    auto domain = to_a_labels(address.domain);
    return out + '@' + (domain ? *domain : charset::fold_case(address.domain));
}

}  // namespace gk::address
