// SPDX-License-Identifier: MIT
#include "common/sieve/flags.hpp"

#include <algorithm>

#include "common/base/text.hpp"

namespace gk::sieve {

namespace {

// RFC 3501, 9: flag; a keyword is an atom.
bool is_flag(std::string_view flag) noexcept {
    if (flag.empty()) return false;
    if (flag[0] == '\\') {
        for (const std::string_view each : {"\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"})
            if (text::equals_nocase(flag, each)) return true;
        return false;
    }
    return std::all_of(flag.begin(), flag.end(), [](char c) {
        return c > 0x20 && c < 0x7F && std::string_view("(){%*\"\\]").find(c) == std::string_view::npos;
    });
}

}  // namespace

bool has_flag(const std::vector<std::string>& flags, std::string_view flag) noexcept {
    return std::any_of(flags.begin(), flags.end(),
                       [&](const std::string& each) { return text::equals_nocase(each, flag); });
}

void add_flags(std::vector<std::string>& to, std::string_view flags) {
    for (const std::string_view flag : text::words(flags))
        if (is_flag(flag) && !has_flag(to, flag) && to.size() <= kMostFlags) to.emplace_back(flag);
}

}  // namespace gk::sieve
