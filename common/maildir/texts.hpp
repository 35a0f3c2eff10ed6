// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

// The two small text files that Dovecot keeps in a Maildir beside its uidlist.
namespace gk::maildir {

// dovecot-keywords: "0 $Forwarded", one line a keyword; the number is its letter ('a' + number).
using KeywordNames = std::array<std::string, 26>;  // empty: not in use
KeywordNames parse_keywords(std::string_view bytes);
std::string format_keywords(const KeywordNames& names);

// An IMAP atom that does not begin with a backslash, of at most 255 bytes (RFC 9051, flag-keyword).
bool is_keyword(std::string_view name) noexcept;

// subscriptions: version 2 ("V TAB 2", an empty line, then names with TAB between levels) or the older form
// (levels separated by '.' or '/'). Names on disk are modified UTF-7; here UTF-8 with '/'. Sorted, without repeats.
std::vector<std::string> parse_subscriptions(std::string_view bytes);
std::string format_subscriptions(const std::vector<std::string>& names);

}  // namespace gk::maildir
