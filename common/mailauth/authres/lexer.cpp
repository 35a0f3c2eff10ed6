// SPDX-License-Identifier: MIT
#include "common/mailauth/authres/lexer.hpp"

#include "common/base/text.hpp"

namespace gk::mailauth::authres {

// RFC 2045, 5.1: no control, space or tspecial.
bool is_token_char(char c) noexcept {
    const auto octet = static_cast<unsigned char>(c);
    return octet > 0x20 && octet != 0x7f && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

bool Lexer::skip() noexcept {
    const std::size_t begin = at_;
    std::size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
        const char c = text_[at_];
        if (c == '(') {
            ++depth;
        } else if (depth == 0) {
            if (!text::is_space(c)) break;
        } else if (c == ')') {
            --depth;
        } else if (c == '\\' && at_ + 1 < text_.size()) {
            ++at_;
        }
    }
    skipped_ = at_ > begin;
    return depth == 0;
}

bool Lexer::take(char c) noexcept {
    if (peek() != c || at_end()) return false;
    ++at_;
    return true;
}

std::string_view Lexer::token() noexcept {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_token_char(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
}

// RFC 5321, 4.1.2: Ldh-str, of which the underscore is no part; names in use ("x_foo") have it all the same.
std::string_view Lexer::keyword() noexcept {
    const std::size_t begin = at_;
    while (at_ < text_.size() &&
           (text::is_alpha(text_[at_]) || text::is_digit(text_[at_]) || text_[at_] == '-' || text_[at_] == '_'))
        ++at_;
    return text_.substr(begin, at_ - begin);
}

std::optional<unsigned> Lexer::number() noexcept {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text::is_digit(text_[at_])) ++at_;
    if (at_ == begin || at_ - begin > 9) return std::nullopt;
    return static_cast<unsigned>(*text::to_uint(text_.substr(begin, at_ - begin)));
}

std::optional<std::string> Lexer::quoted_string() {
    if (!take('"')) return std::nullopt;
    std::string out;
    for (; at_ < text_.size(); ++at_) {
        char c = text_[at_];
        if (c == '"') {
            ++at_;
            return out;
        }
        if (c == '\r' || c == '\n') continue;  // a fold: the white space that follows is part of the text
        if (c == '\\' && at_ + 1 < text_.size()) c = text_[++at_];
        out += c;
    }
    return std::nullopt;
}

std::optional<std::string> Lexer::value() {
    if (peek() == '"') return quoted_string();
    const auto word = token();
    if (word.empty()) return std::nullopt;
    return std::string(word);
}

std::optional<std::string> Lexer::property_value() {
    std::string out;
    if (peek() == '"') {
        auto quoted = quoted_string();
        if (!quoted) return std::nullopt;
        if (peek() != '@') return quoted;
        // The local part of an address keeps its quotes where it needs them: the address is told as a whole.
        out = '"' + text::replace_all(text::replace_all(*quoted, "\\", "\\\\"), "\"", "\\\"") + '"';
    }
    const std::size_t begin = at_;
    // Servers write what the grammar does not have without quotes: base64 with "/" and "=" in header.b, "[192.0.2.1]",
    // "2001:db8::1", "@a.test".
    while (at_ < text_.size()) {
        const char c = text_[at_];
        if (!is_token_char(c) && std::string_view("@/=:[]<>,?").find(c) == std::string_view::npos) break;
        ++at_;
    }
    out += text_.substr(begin, at_ - begin);
    if (out.empty()) return std::nullopt;
    return out;
}

}  // namespace gk::mailauth::authres
