// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace gk::imap {

// What a search looks for, prepared once for many messages: compared without regard to case (RFC 5051's folding).
class Needle {
public:
    // TEXT in CHARSET (that of the SEARCH command; US-ASCII and UTF-8 need no other). Empty matches everything.
    explicit Needle(std::string_view text, std::string_view charset = "utf-8");

    bool empty() const noexcept { return folded_.empty(); }
    bool is_ascii() const noexcept { return ascii_; }
    bool in(std::string_view utf8) const;  // folds UTF8 first
    bool in_folded(std::string_view folded) const noexcept;
    const std::string& folded() const noexcept { return folded_; }

    // Of an ASCII needle: whether BYTES have it in any case, byte by byte. That is in() for ASCII text.
    bool in_ascii(std::string_view bytes) const noexcept;
    // False where no text that is written in BYTES can have the needle, whatever was folded, trimmed and joined at
    // line ends, as long as each ASCII character stands for itself: a cheap look before a thorough one.
    bool may_be_in(std::string_view bytes) const noexcept;
    // False for a needle that a character outside ASCII can match: "k" by the Kelvin sign, "s" by the long s.
    bool only_ascii_matches() const noexcept { return only_ascii_matches_; }

private:
    std::string folded_;
    std::string word_;  // the longest piece that no line end and no white space can be in
    bool ascii_ = false, only_ascii_matches_ = false;
};

// Whether TEXT holds nothing but ASCII.
bool is_all_ascii(std::string_view text) noexcept;

}  // namespace gk::imap
