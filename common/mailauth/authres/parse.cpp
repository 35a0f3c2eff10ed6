// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "common/base/text.hpp"
#include "common/mailauth/authres/authres.hpp"
#include "common/mailauth/authres/lexer.hpp"
#include "common/mailauth/domain.hpp"
#include "common/message/header.hpp"

namespace gk::mailauth::authres {
namespace {

constexpr std::size_t kMostResults = 100, kMostProperties = 50;

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Error malformed(std::string_view what) { return {Errc::BadInput, std::string(what), 0}; }

const Error kOpenComment{Errc::BadInput, "a comment does not end", 0};

// methodspec = [CFWS] method [CFWS] "=" [CFWS] result
Status parse_method(Lexer& lexer, MethodResult& out) {
    out.method = text::lower(lexer.keyword());
    if (out.method.empty()) return fail(malformed("a result without its method"));
    if (!lexer.skip()) return fail(kOpenComment);
    if (lexer.take('/')) {
        if (!lexer.skip()) return fail(kOpenComment);
        const auto version = lexer.number();
        if (!version) return fail(malformed(fmt::format("'{}/' without a version", out.method)));
        out.version = *version;
        if (!lexer.skip()) return fail(kOpenComment);
    }
    if (!lexer.take('=')) return fail(malformed(fmt::format("'{}' without a result", out.method)));
    if (!lexer.skip()) return fail(kOpenComment);
    out.result = text::lower(lexer.keyword());
    if (out.result.empty()) return fail(malformed(fmt::format("'{}=' without a result", out.method)));
    if (!lexer.skip()) return fail(kOpenComment);
    return ok();
}

// reasonspec = "reason" "=" value, or propspec = ptype "." property "=" pvalue; white space anywhere between.
Status parse_property(Lexer& lexer, MethodResult& out) {
    const std::string type = text::lower(lexer.keyword());
    if (type.empty()) return fail(malformed(fmt::format("behind '{}={}' comes no property", out.method, out.result)));
    if (!lexer.skip()) return fail(kOpenComment);
    const bool dot = lexer.take('.');
    if (dot && !lexer.skip()) return fail(kOpenComment);
    const std::string name = dot ? text::lower(lexer.keyword()) : std::string();
    // "policy" and "reason" stand for themselves in fields that were written by RFC 5451.
    if (dot && name.empty()) return fail(malformed(fmt::format("'{}.' without a property", type)));
    if (!lexer.skip()) return fail(kOpenComment);
    if (!lexer.take('=')) return fail(malformed(fmt::format("'{}' without a value", dot ? type + '.' + name : type)));
    if (!lexer.skip()) return fail(kOpenComment);
    if (!dot) {
        if (type != "reason" && type != "action") return fail(malformed(fmt::format("'{}' is not TYPE.NAME", type)));
        auto value = lexer.value();
        if (!value) return fail(malformed(fmt::format("'{}=' without a value", type)));
        // "action" is Microsoft's.
        if (type == "reason") out.reason = std::move(*value);
        return lexer.skip() ? ok() : Status(fail(kOpenComment));
    }
    auto value = lexer.property_value();
    // An empty one ("smtp.mailfrom=;") is what the null reverse-path becomes in the hands of some servers.
    if (!value && lexer.peek() == '"') return fail(malformed("a quoted string does not end"));
    if (out.properties.size() == kMostProperties) return fail(malformed("too many properties"));
    out.properties.push_back({type, name, value ? std::move(*value) : std::string()});
    return lexer.skip() ? ok() : Status(fail(kOpenComment));
}

Status parse_result(Lexer& lexer, MethodResult& out) {
    GK_CHECK(parse_method(lexer, out));
    while (!lexer.at_end() && lexer.peek() != ';') {
        // Properties are parted by white space or comments.
        if (!lexer.skipped() && lexer.peek() != ';') return fail(malformed("'" + out.method + "' runs into its next"));
        GK_CHECK(parse_property(lexer, out));
    }
    return ok();
}

// As it is compared: what a reader may take for the same name.
std::string normal(std::string_view id) {
    std::string name(text::trim(id));
    if (name.find("=?") != std::string::npos) name = text::trim(message::decode_words(name));
    while (name.ends_with('.')) name.pop_back();
    auto domain = dns_domain(name);
    return domain.empty() ? text::lower(name) : domain;
}

// All words before the first ';' joined, a version at their end aside: "mx . a . test 1", which the obsolete grammar of
// RFC 5322, 4.4 takes for mx.a.test. Empty where something does not end.
std::string joined_id(std::string_view value) {
    Lexer lexer(value);
    std::vector<std::string> words;
    for (;;) {
        if (!lexer.skip()) return {};
        if (lexer.at_end() || lexer.peek() == ';') break;
        if (lexer.skipped() || words.empty()) words.emplace_back();
        if (lexer.peek() == '"') {
            const auto quoted = lexer.quoted_string();
            if (!quoted) return {};
            words.back() += *quoted;
        } else {
            words.back() += lexer.peek();
            lexer.take(lexer.peek());
        }
    }
    if (words.size() > 1 && text::to_uint(words.back())) words.pop_back();
    return text::join(words, "");
}

}  // namespace

Result<AuthenticationResults> parse(std::string_view value) {
    AuthenticationResults out;
    Lexer lexer(value);
    if (!lexer.skip()) return fail(kOpenComment);
    auto id = lexer.value();
    if (!id || id->empty()) return fail(malformed("the authserv-id is missing"));
    if (!text::is_utf8(*id) || std::any_of(id->begin(), id->end(), is_control))
        return fail(malformed("the authserv-id is no text"));
    out.id = std::move(*id);
    if (!lexer.skip()) return fail(kOpenComment);
    if (text::is_digit(lexer.peek())) {
        if (!lexer.skipped()) return fail(malformed("the authserv-id is not a value"));
        const auto version = lexer.number();
        if (!version) return fail(malformed("the version is not a number"));
        out.version = *version;
        if (!lexer.skip()) return fail(kOpenComment);
    }
    // 2.2: a version that is not known is not to be read as one that is.
    if (out.version != 1) return fail(Errc::Unsupported, fmt::format("version {} is not known", out.version));
    // Not by the grammar, which wants ";none": an id alone.
    while (!lexer.at_end()) {
        if (!lexer.take(';')) return fail(malformed("'" + text::printable(out.id, 80) + "' has no ';' behind it"));
        if (!lexer.skip()) return fail(kOpenComment);
        if (lexer.at_end()) break;  // a last ';', as some write it
        if (lexer.peek() == ';') continue;
        Lexer ahead = lexer;
        if (text::equals_nocase(ahead.keyword(), "none") && ahead.skip() && (ahead.at_end() || ahead.peek() == ';')) {
            if (!out.results.empty()) return fail(malformed("'none' beside results"));
            lexer = ahead;
            continue;
        }
        if (out.results.size() == kMostResults) return fail(malformed("too many results"));
        GK_CHECK(parse_result(lexer, out.results.emplace_back()));
    }
    return out;
}

std::string lenient_id(std::string_view value) {
    Lexer lexer(value);
    if (!lexer.skip()) return {};
    if (lexer.peek() == '"') return lexer.quoted_string().value_or("");
    std::string id;
    // Until whatever may end it; a comment may stand in the middle of a dotted name in the old grammar.
    while (!lexer.at_end()) {
        const char c = lexer.peek();
        if (c == ';' || text::is_space(c)) break;
        if (c == '(') {
            if (!lexer.skip()) return {};
            continue;
        }
        id += c;
        lexer.take(c);
    }
    return id;
}

bool claims(std::string_view value, const std::vector<std::string>& ids) {
    const std::string id = normal(lenient_id(value)), joined = normal(joined_id(value));
    if (id.empty() || joined.empty()) return true;
    for (const auto& each : ids)
        if (const std::string ours = normal(each); id == ours || joined == ours) return true;
    return false;
}

}  // namespace gk::mailauth::authres
