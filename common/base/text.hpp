// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// ASCII text as mail protocols know it; nothing here looks at the locale.
namespace gk::text {

constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr char to_upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string lower(std::string_view s);
std::string upper(std::string_view s);
bool equals_nocase(std::string_view a, std::string_view b) noexcept;
bool starts_with_nocase(std::string_view s, std::string_view prefix) noexcept;
// Position of NEEDLE in S without regard to ASCII case, or npos.
std::size_t find_nocase(std::string_view s, std::string_view needle) noexcept;

std::string_view trim(std::string_view s) noexcept;                       // SP, TAB, CR, LF, VT, FF on both sides
std::vector<std::string_view> split(std::string_view s, char separator);  // keeps empty parts
std::vector<std::string_view> words(std::string_view s);                  // by runs of white space
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string replace_all(std::string_view s, std::string_view from, std::string_view to);

// The whole of S as a decimal number without sign, or nothing (also when it does not fit).
std::optional<std::uint64_t> to_uint(std::string_view s) noexcept;
std::optional<std::int64_t> to_int(std::string_view s) noexcept;  // with an optional leading '-'

std::string to_base64(std::string_view bytes);
// Strict RFC 4648 with padding; nothing on any other byte.
std::optional<std::string> from_base64(std::string_view s);
std::string to_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view s);
// %XX for everything outside printable ASCII and for '%', space and tab.
std::string percent_encode(std::string_view s);
std::optional<std::string> percent_decode(std::string_view s);

// For logs and error texts: control and non-ASCII bytes as \xNN, cut after LIMIT bytes with "…".
std::string printable(std::string_view s, std::size_t limit = 200);
// For texts of protocols that know nothing else: "?" for each character that is not ASCII, "..." for an ellipsis.
std::string ascii_only(std::string_view utf8);
bool is_utf8(std::string_view s) noexcept;
bool is_ascii(std::string_view s) noexcept;

// "10MB", "64k", "1GiB", "500" to bytes: k, M and G are powers of 1024, with or without B or iB.
std::optional<std::uint64_t> to_size(std::string_view s) noexcept;
std::string format_size(std::uint64_t bytes);  // "12.3 MB"
// "90s", "5m", "2h", "1d", "1w", "1h30m", "45" (seconds) to seconds.
std::optional<std::int64_t> to_duration_s(std::string_view s) noexcept;

// The entry of CANDIDATES most like WORD (edit distance of at most 3), for "did you mean".
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace gk::text
