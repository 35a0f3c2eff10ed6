// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

// One line of a socket between our programs: a verb and key=value fields, parted by TAB; values are percent-encoded;
// bytes travel as base64.
namespace gk {

struct WireLine {
    std::string_view verb;  // a view into the line
    std::map<std::string, std::string, std::less<>> fields;

    // LINE is without its line end. WHOSE stands in complaints: "auth". BadInput past MOST octets, for what is no field
    // and for a field given twice.
    static Result<WireLine> parse(std::string_view line, std::size_t most, std::string_view whose);

    Result<std::string> need(std::string_view key) const;
    std::string maybe(std::string_view key) const;  // empty where it is absent
    // Decoded; nothing where it is absent.
    Result<std::optional<std::string>> maybe_bytes(std::string_view key) const;
};

void add_wire_field(std::string& line, std::string_view key, std::string_view value);
void add_wire_bytes(std::string& line, std::string_view key, std::string_view bytes);

}  // namespace gk
