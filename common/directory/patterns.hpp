// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace gk::directory {

constexpr std::size_t kMaxPattern = 512;          // bytes of one
constexpr std::size_t kMostCompiled = 4096;       // kept
constexpr std::int64_t kPatternMemory = 1 << 20;  // bytes that one may take, compiled

// Regular expressions (RE2: in time linear in what is matched, whatever the expression), compiled once. One thread.
class Patterns {
public:
    // BadInput with RE2's complaint where PATTERN is none, or is too large.
    static Status check(std::string_view pattern);
    // What the groups matched, the whole first, where PATTERN matches all of TEXT, ASCII case ignored; a pattern that
    // is none matches nothing.
    std::optional<std::vector<std::string>> match(const std::string& pattern, std::string_view text);

private:
    struct Compiled;
    std::map<std::string, std::shared_ptr<Compiled>, std::less<>> compiled_;
};

// "/PATTERN/" to PATTERN; nothing where LOCAL_PART is no pattern.
std::optional<std::string_view> pattern_in(std::string_view local_part) noexcept;
// TEMPLATE with "\0" to "\9" replaced by GROUPS, "\\" by one backslash.
std::string substitute(std::string_view text, const std::vector<std::string>& groups);
// Highest group that TEMPLATE names; -1 for none.
int highest_group(std::string_view text) noexcept;
int groups_of(std::string_view pattern);  // how many it has

}  // namespace gk::directory
