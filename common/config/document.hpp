// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.hpp"

// A TOML text as a flat list, in the order of its lines; toml++ stays behind this header.
namespace gk::config {

struct IsTable {};  // a [header], or an inline table; its entries follow
struct Unusable {
    std::string type;
};  // a date, a float, an array of anything but strings
using Scalar = std::variant<IsTable, bool, std::int64_t, std::string, std::vector<std::string>, Unusable>;

// Where a value stands in the text, both from 1 on; END is one past its last byte.
struct Position {
    std::uint32_t line = 0, column = 0;
};

struct Entry {
    std::vector<std::string> path;  // "smtp", "max_size"
    Scalar value;
    Position begin, end;
    std::string key() const;  // the path joined with dots
};

// NAME stands in front of the line number in complaints.
Result<std::vector<Entry>> read_document(std::string_view toml, std::string_view name);

// TOML with KEY set to VALUE: replaced in place where it is there already, else added to its section, which is
// made where it is missing. Comments and order stay. VALUE is plain text, as on a command line (the entries of a
// list apart by commas); below a Table setting the rest of KEY names the entry. Checks type and bounds.
Result<std::string> with_setting(std::string_view toml, std::string_view key, std::string_view value);

std::string quoted(std::string_view s);              // as a TOML basic string
std::string written_duration(std::int64_t seconds);  // "90s", "5m", "2h", "1d": in the largest whole unit
std::string unknown_setting(std::string_view key);   // "unknown setting 'x'; did you mean 'y'?"

}  // namespace gk::config
