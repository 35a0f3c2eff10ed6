// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/imap/grammar/command.hpp"

// One whole command, literals in place ("{3}" CRLF "abc"), to its value. Errors are BadInput with a text for the
// client. Nothing here recurses deeper than kMaxSearchDepth.
namespace gk::imap {

constexpr int kMaxSearchDepth = 40;
constexpr std::size_t kMaxSearchKeys = 5'000;
constexpr std::size_t kMaxSequenceRanges = 20'000;
constexpr std::size_t kMaxAppendUrls = 5'000;  // of CATENATE, between two literals that stream

// The tag that TEXT begins with, or empty where there is none to answer to.
std::string_view tag_of(std::string_view text) noexcept;

// TEXT is a command without its last line end. APPEND ends with the announcement of its message: "… {310}".
Result<Command> parse_command(std::string_view text);

// TEXT, which ends with the announcement of a literal, where it is APPEND or REPLACE arrived at a message.
std::optional<Command> parse_append_at_message(std::string_view text);
// What follows a message's literal, up to the next one or to the end of the command.
Result<AppendStep> parse_append_step(std::string_view text, AppendPlace place, bool single);

// The announcement a line ends with: "{310}", "{310+}", "~{310}".
struct LiteralMark {
    std::uint64_t size = 0;
    bool sync = true;
    bool binary = false;
    std::size_t at = 0;  // where in the line it begins
};
std::optional<LiteralMark> literal_mark(std::string_view line) noexcept;

// Parts of the grammar that others use, whole-string.
Result<SequenceSet> parse_sequence_set(std::string_view text);

}  // namespace gk::imap
