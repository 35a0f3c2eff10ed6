// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/sieve/sieve.hpp"

// The grammar that all of Sieve's commands share (RFC 5228, 8): text to a tree that knows no command yet.
namespace gk::sieve {

enum class Token : unsigned char {
    Identifier,
    Tag,     // without its colon
    Number,  // its quantifier applied
    String,  // quoted or multi-line, escapes and dot-stuffing undone; line ends as CRLF
    Semicolon,
    Comma,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
    End,
    Wrong,  // text() says why
};

// Linear in the text, and never past its end.
class Lexer {
public:
    explicit Lexer(std::string_view text) noexcept : text_(text) {}
    Token next();
    Position at() const noexcept { return at_; }
    std::string& text() noexcept { return value_; }  // of an identifier (lower case), a tag (lower case), a string
    std::uint64_t number() const noexcept { return number_; }

private:
    char peek(std::size_t ahead = 0) const noexcept { return pos_ + ahead < text_.size() ? text_[pos_ + ahead] : '\0'; }
    bool ended() const noexcept { return pos_ >= text_.size(); }
    void advance() noexcept;
    bool skip_space();  // false for a comment without end
    Token wrong(std::string why);
    Token word();
    Token digits();
    Token quoted();
    Token multi_line();
    Token check_utf8();

    std::string_view text_;
    std::size_t pos_ = 0;
    std::uint32_t line_ = 1, column_ = 1;
    Position at_;
    std::string value_;
    std::uint64_t number_ = 0;
};

struct Literal {
    std::string value;
    Position at;
};

struct Argument {
    enum class Kind : unsigned char { Tag, Number, String, List };
    Kind kind;
    Position at;
    std::string tag;
    std::uint64_t number = 0;
    std::vector<Literal> strings;  // one for String
};

// A command or a test.
struct Item {
    Position at;
    std::string name;  // lower case
    std::vector<Argument> arguments;
    std::vector<Item> tests;
    bool test_list = false;  // in parentheses
    std::vector<Item> block;
    bool has_block = false;
};

// Appends to PROBLEMS and goes on after the command that is wrong, up to LIMITS.problems.
std::vector<Item> parse(std::string_view text, const Limits& limits, std::vector<Problem>& problems);

}  // namespace gk::sieve
