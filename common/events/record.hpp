// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.hpp"

namespace gk::events {

// One event line as base/log wrote it, read back.
struct Record {
    TimePoint time{};
    std::string level, program, event;
    std::int64_t pid = 0;
    std::vector<std::pair<std::string, std::string>> fields;  // in the order they were written
    std::string json;                                         // the whole as one JSON object, for --json

    std::string_view field(std::string_view name) const noexcept;  // empty where there is none
    bool has_field(std::string_view name) const noexcept;
};

// A line of ROOT/log/PROGRAM.log. Nothing where it is no event: a library's or a crash's words.
std::optional<Record> parse_log_line(std::string_view line);
// A line of `journalctl -o json`: MESSAGE is `name field="value" number=1`.
std::optional<Record> parse_journal_line(std::string_view line);

// What happened, in words, without the time: "accepted from <ann@a.test> to <bob@b.test>, 1.2 kB, from 192.0.2.1".
// Safe for a terminal.
std::string describe(const Record& record);

// "message.*" with * and ? as in file names.
bool matches_glob(std::string_view name, std::string_view pattern) noexcept;

}  // namespace gk::events
