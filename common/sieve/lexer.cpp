// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/sieve/syntax.hpp"

namespace gk::sieve {

namespace {
bool is_word(char c) noexcept { return text::is_alpha(c) || text::is_digit(c) || c == '_'; }
}  // namespace

void Lexer::advance() noexcept {
    const char c = text_[pos_++];
    if (c == '\n') {
        ++line_;
        column_ = 1;
    } else if ((static_cast<unsigned char>(peek()) & 0xC0) != 0x80) {
        ++column_;
    }
}

Token Lexer::wrong(std::string why) {
    value_ = std::move(why);
    return Token::Wrong;
}

// RFC 5228, 2.2 and 2.3.
bool Lexer::skip_space() {
    while (!ended()) {
        const char c = peek();
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            advance();
        } else if (c == '#') {
            while (!ended() && peek() != '\n') advance();
        } else if (c == '/' && peek(1) == '*') {
            at_ = {line_, column_};
            advance(), advance();
            while (!ended() && !(peek() == '*' && peek(1) == '/')) advance();
            if (ended()) return false;
            advance(), advance();
        } else {
            break;
        }
    }
    return true;
}

Token Lexer::next() {
    if (!skip_space()) return wrong("a comment that begins here has no end");
    at_ = {line_, column_};
    if (ended()) return Token::End;
    const char c = peek();
    if (text::is_alpha(c) || c == '_') return word();
    if (text::is_digit(c)) return digits();
    if (c == '"') return quoted();
    if (c == ':') {
        advance();
        if (!text::is_alpha(peek()) && peek() != '_')
            return wrong("a colon must be followed by the name of an argument");
        word();
        return Token::Tag;
    }
    advance();
    switch (c) {
        case ';': return Token::Semicolon;
        case ',': return Token::Comma;
        case '(': return Token::OpenParen;
        case ')': return Token::CloseParen;
        case '[': return Token::OpenBracket;
        case ']': return Token::CloseBracket;
        case '{': return Token::OpenBrace;
        case '}': return Token::CloseBrace;
        default: return wrong("'" + text::printable(std::string_view(&c, 1)) + "' does not belong here");
    }
}

Token Lexer::word() {
    value_.clear();
    while (!ended() && is_word(peek())) {
        value_ += text::to_lower(peek());
        advance();
    }
    if (value_ == "text" && peek() == ':') return multi_line();
    return Token::Identifier;
}

Token Lexer::digits() {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
    number_ = 0;
    bool large = false;
    while (!ended() && text::is_digit(peek())) {
        number_ = number_ * 10 + static_cast<std::uint64_t>(peek() - '0');
        if (number_ > kMost) large = true, number_ = 0;
        advance();
    }
    unsigned shift = 0;
    switch (text::to_lower(peek())) {
        case 'k': shift = 10; break;
        case 'm': shift = 20; break;
        case 'g': shift = 30; break;
        default: break;
    }
    if (shift != 0) advance();
    if (is_word(peek())) {
        while (!ended() && is_word(peek())) advance();
        return wrong("a number ends in K, M, G or a digit");
    }
    if (large || number_ > (kMost >> shift)) return wrong("this number is too large");
    number_ <<= shift;
    return Token::Number;
}

Token Lexer::check_utf8() {
    if (!text::is_utf8(value_)) return wrong("this string is not UTF-8");
    if (value_.find('\0') != std::string::npos) return wrong("this string holds a NUL");
    return Token::String;
}

Token Lexer::quoted() {
    value_.clear();
    advance();
    while (!ended()) {
        char c = peek();
        if (c == '"') {
            advance();
            return check_utf8();
        }
        if (c == '\\') {
            advance();
            if (ended()) break;
            c = peek();
        }
        if (c == '\n' && (value_.empty() || value_.back() != '\r')) value_ += '\r';
        value_ += c;
        advance();
    }
    return wrong("a string that begins here has no end");
}

// multi-line = "text:" *(SP / HTAB) (hash-comment / CRLF) *(lines) "." CRLF
Token Lexer::multi_line() {
    advance();
    value_.clear();
    while (peek() == ' ' || peek() == '\t') advance();
    if (peek() == '#')
        while (!ended() && peek() != '\n') advance();
    if (peek() == '\r') advance();
    if (peek() != '\n') return wrong("the text begins on the line after \"text:\"");
    advance();
    while (!ended()) {
        const std::size_t end = text_.find('\n', pos_);
        std::string_view line = text_.substr(pos_, end == std::string_view::npos ? end : end - pos_);
        const std::size_t whole = line.size();
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        const bool last = line == ".";
        if (!last) {
            if (!line.empty() && line[0] == '.') line.remove_prefix(1);
            value_.append(line).append("\r\n");
        }
        pos_ += whole;
        if (end == std::string_view::npos) {
            if (last) return check_utf8();
            break;
        }
        ++pos_, ++line_, column_ = 1;
        if (last) return check_utf8();
    }
    return wrong("the text that begins here has no line with a single dot at its end");
}

}  // namespace gk::sieve
