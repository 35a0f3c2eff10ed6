// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/authres/authres.hpp"
#include "common/mailauth/authres/lexer.hpp"

namespace gk::mailauth::authres {
namespace {

constexpr std::size_t kLine = 78;
constexpr std::size_t kMostValue = 400;  // octets of one value; lines have 998 at most (RFC 5322, 2.1.1)

// TEXT as a field may hold it.
std::string clean(std::string_view text, bool utf8) {
    std::string ascii;
    if (!utf8 || !text::is_utf8(text)) text = ascii = text::ascii_only(text);
    std::string out;
    for (const char c : text.substr(0, kMostValue))
        if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out += c;
    while (!text::is_utf8(out)) out.pop_back();  // cut inside a character
    return out;
}

bool is_token(std::string_view text) noexcept {
    for (const char c : text)
        if (!is_token_char(c)) return false;
    return !text.empty();
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

std::string word(std::string_view text) { return is_token(text) ? std::string(text) : quoted(text); }

// An address needs no quotes where its parts are tokens: [local-part] "@" domain.
std::string property_word(std::string_view text) {
    const auto at = text.rfind('@');
    if (at == std::string_view::npos) return word(text);
    const auto local = text.substr(0, at);
    if (is_token(text.substr(at + 1)) && (local.empty() || is_token(local))) return std::string(text);
    return quoted(text);
}

std::string comment(std::string_view text) {
    std::string out = "(";
    for (const char c : text) {
        if (c == '(' || c == ')' || c == '\\') out += '\\';
        out += c;
    }
    return out + ')';
}

// Words of one line, broken where the next would not fit.
class Folded {
public:
    explicit Folded(std::string begin) : out_(std::move(begin)), line_(out_.size()) {}
    void begin_line(std::string_view text) {
        out_ += "\r\n\t";
        out_ += text;
        line_ = 8 + text.size();
    }
    void add(std::string_view text) {
        const bool fits = line_ + 1 + text.size() <= kLine;
        out_ += fits ? " " : "\r\n\t  ";
        line_ = fits ? line_ + 1 : 10;
        out_ += text;
        line_ += text.size();
    }
    // A long text, broken at its spaces: a comment.
    void add_words(std::string_view text) {
        for (const auto part : text::split(text, ' '))
            if (!part.empty()) add(part);
    }
    void end(char c) { out_ += c; }
    std::string take() { return std::move(out_); }

private:
    std::string out_;
    std::size_t line_;
};

}  // namespace

std::string format_body(const AuthenticationResults& results, bool utf8) {
    const auto permitted = [&](std::string_view text) { return utf8 ? text::is_utf8(text) : text::is_ascii(text); };
    std::string begin = word(clean(results.id, utf8));
    if (results.version != 1) begin += fmt::format(" {}", results.version);
    Folded out(std::move(begin));
    if (results.results.empty()) {
        out.end(';');
        out.add("none");
    }
    for (const auto& each : results.results) {
        out.end(';');
        out.begin_line(each.version == 1 ? fmt::format("{}={}", each.method, each.result)
                                         : fmt::format("{}/{}={}", each.method, each.version, each.result));
        if (!each.comment.empty()) out.add_words(comment(clean(each.comment, utf8)));
        if (!each.reason.empty()) out.add("reason=" + word(clean(each.reason, utf8)));
        for (const auto& property : each.properties) {
            if (!permitted(property.value)) continue;
            out.add(fmt::format("{}.{}={}", property.type, property.name, property_word(clean(property.value, utf8))));
        }
    }
    return out.take();
}

std::string format(const AuthenticationResults& results, bool utf8) {
    return fmt::format("{}: {}\r\n", kFieldName, format_body(results, utf8));
}

}  // namespace gk::mailauth::authres
