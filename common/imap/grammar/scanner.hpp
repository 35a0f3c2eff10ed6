// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/imap/grammar/command.hpp"

namespace gk::imap {

// The tokens of IMAP's grammar, read one after the other from a complete command. The first error sticks: from
// then on everything reads as empty, at_end() is true and error() says what was wrong. So callers read straight
// on and look at failed() where they would loop or at the end.
class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    bool at_end() const noexcept { return at_ >= text_.size(); }
    bool failed() const noexcept { return !error_.empty(); }
    const std::string& error() const noexcept { return error_; }
    void fail(std::string text);

    char peek() const noexcept { return at_end() ? '\0' : text_[at_]; }
    bool next_is(char c) const noexcept { return !at_end() && text_[at_] == c; }
    bool next_is(std::string_view s) const noexcept { return text_.substr(at_).starts_with(s); }
    bool accept(char c) noexcept;
    void expect(char c);
    void space() { expect(' '); }
    void expect_end();
    // Consumes WORD, in any case, where it stands next and is not the beginning of a longer word.
    bool accept_word(std::string_view word) noexcept;

    std::string tag();
    std::string word();  // an atom in upper case: a command's or key's name
    std::string atom();
    std::string string();  // quoted or literal
    std::string astring();
    std::optional<std::string> nstring();
    std::optional<std::string> nstring8();  // nstring / literal8, which may hold NUL
    std::string mailbox();                  // astring with INBOX in capitals
    std::string list_mailbox();             // with wildcards
    std::string object_id();                // RFC 8474, 7
    std::uint32_t number();
    std::uint32_t nz_number();
    std::uint64_t number64();     // 63 bits
    std::uint64_t nz_number64();  // mod-sequence-value
    SequenceSet sequence_set();
    std::string flag();                    // system flags in their usual spelling
    std::vector<std::string> flag_list();  // in parentheses
    std::int64_t date_day();               // date, quoted or not, as days since 1970
    std::int64_t date_time();              // quoted date-time, as seconds since 1970

    std::size_t position() const noexcept { return at_; }

private:
    std::string quoted();
    std::string literal(bool with_nul = false);
    std::string take_while(bool (*wanted)(unsigned char));
    std::uint32_t sequence_number();
    std::int64_t day_month_year();

    std::string_view text_;
    std::size_t at_ = 0;
    std::string error_;
};

bool is_atom_char(unsigned char c) noexcept;

}  // namespace gk::imap
