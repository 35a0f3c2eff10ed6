// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/signature.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/mailauth/dkim/tags.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::mailauth::dkim {
namespace {

constexpr std::size_t kMaxSignedNames = 1000;

Error missing(std::string_view tag) { return Error{Errc::BadInput, fmt::format("{}= is missing", tag), 0}; }
Error malformed(std::string_view tag) { return Error{Errc::BadInput, fmt::format("{}= is malformed", tag), 0}; }

// c= (3.5): "header/body" or "header", which leaves the body simple.
Status parse_canon(std::string_view value, Signature& out) {
    const auto slash = value.find('/');
    const auto read = [](std::string_view name, Canon& canon) {
        name = text::trim(name);
        canon = text::equals_nocase(name, "relaxed") ? Canon::Relaxed : Canon::Simple;
        return text::equals_nocase(name, canon_name(canon));
    };
    if (!read(value.substr(0, slash), out.header_canon)) return fail(malformed("c"));
    if (slash != std::string_view::npos && !read(value.substr(slash + 1), out.body_canon)) return fail(malformed("c"));
    return ok();
}

Status parse_number(const TagList& tags, std::string_view tag, std::optional<std::uint64_t>& out) {
    const auto* value = tags.find(tag);
    if (!value) return ok();
    // Up to 76 digits are well-formed (3.5: l=); what does not fit is past every body and every date.
    if (value->empty() || value->size() > 76 || value->find_first_not_of("0123456789") != std::string_view::npos)
        return fail(malformed(tag));
    out = text::to_uint(*value).value_or(UINT64_MAX);
    return ok();
}

// d= and s=.
Status parse_key_name(const TagList& tags, Signature& out) {
    const auto* domain = tags.find("d");
    if (!domain) return fail(missing("d"));
    out.domain = dns_domain(*domain);
    if (out.domain.empty()) return fail(malformed("d"));
    const auto* selector = tags.find("s");
    if (!selector) return fail(missing("s"));
    // A selector is one label or more; with the domain behind it the same rules hold for both.
    const std::string name = dns_domain(std::string(*selector) + "._domainkey." + out.domain);
    const std::string tail = "._domainkey." + out.domain;
    if (name.size() <= tail.size() || !name.ends_with(tail)) return fail(malformed("s"));
    out.selector = name.substr(0, name.size() - tail.size());
    return ok();
}

// i= of DKIM.
Status parse_identity(const TagList& tags, Signature& out) {
    const auto* identity = tags.find("i");
    out.identity = identity ? without_white_space(*identity) : "@" + out.domain;
    const auto at = out.identity.rfind('@');
    if (at == std::string::npos) return fail(malformed("i"));
    out.identity_domain = dns_domain(std::string_view(out.identity).substr(at + 1));
    if (!is_at_or_below(out.identity_domain, out.domain)) return fail(Errc::BadInput, "i= is not in the domain of d=");
    return ok();
}

// i= of ARC. Such a signature speaks for its domain and nobody below.
Status parse_instance_tag(const TagList& tags, Signature& out) {
    const auto* digits = tags.find("i");
    if (!digits) return fail(missing("i"));
    const auto instance = parse_instance(*digits);
    if (!instance) return fail(malformed("i"));
    out.instance = *instance;
    out.identity_domain = out.domain;
    return ok();
}

Status parse_headers(const TagList& tags, SignatureKind kind, Signature& out) {
    const auto* headers = tags.find("h");
    if (!headers) return fail(missing("h"));
    for (const auto& name : colon_list(*headers)) {
        if (name.empty()) return fail(malformed("h"));
        if (out.headers.size() == kMaxSignedNames)
            return fail(Errc::BadInput, fmt::format("h= names more than {} fields", kMaxSignedNames));
        out.headers.push_back(text::lower(name));
    }
    if (std::find(out.headers.begin(), out.headers.end(), "from") == out.headers.end())
        return fail(Errc::BadInput, "h= does not cover From");
    // The seal is made over this field, so it cannot be under it (RFC 8617, 5.1).
    if (kind == SignatureKind::ArcMessage &&
        std::find(out.headers.begin(), out.headers.end(), "arc-seal") != out.headers.end())
        return fail(Errc::BadInput, "h= covers ARC-Seal");
    return ok();
}

Status parse_base64(const TagList& tags, std::string_view tag, std::string& out) {
    const auto* text = tags.find(tag);
    if (!text) return fail(missing(tag));
    auto octets = base64_with_folds(*text);
    if (!octets || octets->empty()) return fail(malformed(tag));
    out = std::move(*octets);
    return ok();
}

Status parse_times(const TagList& tags, Signature& out) {
    GK_CHECK(parse_number(tags, "t", out.timestamp_s));
    GK_CHECK(parse_number(tags, "x", out.expires_s));
    if (out.timestamp_s && out.expires_s && *out.expires_s <= *out.timestamp_s)
        return fail(Errc::BadInput, "x= is not after t=");
    return ok();
}

}  // namespace

std::optional<unsigned> parse_instance(std::string_view digits) noexcept {
    if (digits.empty() || digits.size() > 2) return std::nullopt;
    const auto instance = text::to_uint(digits);
    if (!instance || *instance == 0) return std::nullopt;
    return static_cast<unsigned>(*instance);
}

Result<Signature> parse_signature(std::string_view value, SignatureKind kind) {
    GK_TRY(const TagList tags, TagList::parse(value));
    Signature out;
    if (kind == SignatureKind::Dkim) {
        const auto* version = tags.find("v");
        if (!version) return fail(missing("v"));
        if (*version != "1") return fail(Errc::BadInput, "v= is not 1");
    }
    const auto* algorithm = tags.find("a");
    if (!algorithm) return fail(missing("a"));
    out.algorithm_name = text::lower(text::printable(*algorithm, 40));
    out.algorithm = algorithm_named(out.algorithm_name);
    GK_CHECK(parse_key_name(tags, out));
    GK_CHECK(kind == SignatureKind::Dkim ? parse_identity(tags, out) : parse_instance_tag(tags, out));
    GK_CHECK(parse_base64(tags, "b", out.signature));
    if (kind == SignatureKind::ArcSeal) {
        // RFC 8617, 4.1.3: what it covers is fixed, and a seal that names fields is no seal.
        if (tags.find("h")) return fail(Errc::BadInput, "a seal with h=");
        out.header_canon = Canon::Relaxed;
        GK_CHECK(parse_number(tags, "t", out.timestamp_s));
        return out;
    }
    if (const auto* canon = tags.find("c")) GK_CHECK(parse_canon(*canon, out));
    if (const auto* query = tags.find("q")) {
        // 3.5: a colon-separated list; dns/txt is the one that is defined.
        const auto methods = colon_list(*query);
        if (std::none_of(methods.begin(), methods.end(),
                         [](const auto& each) { return text::equals_nocase(each, "dns/txt"); }))
            return fail(Errc::BadInput, "q= names no way that is known");
    }
    GK_CHECK(parse_headers(tags, kind, out));
    GK_CHECK(parse_number(tags, "l", out.body_length));
    GK_CHECK(parse_times(tags, out));
    GK_CHECK(parse_base64(tags, "bh", out.body_hash));
    return out;
}

std::string without_signature(std::string_view field) {
    std::size_t begin = std::min(field.find(':'), field.size() - (field.empty() ? 0 : 1)) + 1;
    while (begin < field.size()) {
        const auto end = std::min(field.find(';', begin), field.size());
        const auto equals = field.substr(begin, end - begin).find('=');
        if (equals != std::string_view::npos && text::trim(field.substr(begin, equals)) == "b") {
            std::string out(field.substr(0, begin + equals + 1));
            // The line end of the field is no part of the value, but white space before it is.
            std::string_view rest = field.substr(end);
            if (end == field.size()) rest = field.ends_with("\r\n") ? "\r\n" : field.ends_with('\n') ? "\n" : "";
            out += rest;
            return out;
        }
        begin = end + 1;
    }
    return std::string(field);
}

}  // namespace gk::mailauth::dkim
