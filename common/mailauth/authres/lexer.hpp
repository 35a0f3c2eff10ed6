// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gk::mailauth::authres {

// The words of RFC 8601, 2.2 one after the other; for this folder alone. One pass, no recursion.
class Lexer {
public:
    explicit Lexer(std::string_view text) noexcept : text_(text) {}

    // Skips white space and comments, nested ones too; false where a comment does not end.
    bool skip() noexcept;
    bool skipped() const noexcept { return skipped_; }  // the last skip() went over something
    bool at_end() const noexcept { return at_ == text_.size(); }
    char peek() const noexcept { return at_end() ? '\0' : text_[at_]; }
    bool take(char c) noexcept;

    // token of RFC 2045, 5.1 with UTF-8 (RFC 6532); empty where there is none.
    std::string_view token() noexcept;
    // Keyword of RFC 8601: letters, digits and inner hyphens.
    std::string_view keyword() noexcept;
    std::optional<unsigned> number() noexcept;  // at most nine digits
    // Nothing where it does not begin with a quote, or does not end.
    std::optional<std::string> quoted_string();
    // token or quoted-string.
    std::optional<std::string> value();
    // pvalue: value, or [[local-part] "@"] domain-name.
    std::optional<std::string> property_value();

private:
    std::string_view text_;
    std::size_t at_ = 0;
    bool skipped_ = false;
};

bool is_token_char(char c) noexcept;

}  // namespace gk::mailauth::authres
