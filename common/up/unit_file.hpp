// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace gk::up {

// A systemd unit file as systemd.syntax(7) has it: sections, KEY=value, comments after # or ;, lines joined by a
// backslash, lists that grow by assignment and are emptied by an empty one. Keys keep their order.
class UnitFile {
public:
    // NAME ("gk-smtpd.service") stands in complaints. Errors: BadInput with the line.
    static Result<UnitFile> parse(std::string_view text, std::string name);

    const std::string& name() const noexcept { return name_; }
    // The last value given, or nothing; an emptied key has none.
    std::optional<std::string> find(std::string_view section, std::string_view key) const;
    // All values since the key was last emptied.
    std::vector<std::string> all(std::string_view section, std::string_view key) const;
    // All values split at white space: User lists, Sockets=, After=.
    std::vector<std::string> words(std::string_view section, std::string_view key) const;
    bool has_section(std::string_view section) const;

private:
    struct Assignment {
        std::string section, key, value;
    };
    std::string name_;
    std::vector<std::string> sections_;
    std::vector<Assignment> assignments_;
};

// A time span of systemd.time(7) in microseconds: "60", "1min 30s", "500ms", "infinity" (UINT64_MAX).
std::optional<std::uint64_t> parse_time_span(std::string_view s);

// A command line split as ExecStart= does it: white space, "double" and 'single' quotes, backslash escapes.
std::optional<std::vector<std::string>> split_command(std::string_view s);

}  // namespace gk::up
