// SPDX-License-Identifier: MIT
#include "common/directory/patterns.hpp"

#include <re2/re2.h>

#include "common/base/text.hpp"

namespace gk::directory {

namespace {

re2::RE2::Options options() {
    re2::RE2::Options options;
    options.set_case_sensitive(false);
    options.set_log_errors(false);
    options.set_max_mem(kPatternMemory);
    return options;
}

re2::StringPiece piece(std::string_view s) { return {s.data(), s.size()}; }

}  // namespace

struct Patterns::Compiled {
    explicit Compiled(std::string_view pattern) : regex(piece(pattern), options()) {}
    re2::RE2 regex;
};

Status Patterns::check(std::string_view pattern) {
    if (pattern.empty() || pattern.size() > kMaxPattern)
        return fail(Errc::BadInput, fmt::format("a pattern has 1 to {} bytes", kMaxPattern));
    const re2::RE2 regex(piece(pattern), options());
    if (regex.ok()) return ok();
    return fail(Errc::BadInput,
                fmt::format("'{}' is not a regular expression: {}", text::printable(pattern), regex.error()));
}

std::optional<std::vector<std::string>> Patterns::match(const std::string& pattern, std::string_view text) {
    auto found = compiled_.find(pattern);
    if (found == compiled_.end()) {
        if (compiled_.size() >= kMostCompiled) compiled_.clear();
        found = compiled_.emplace(pattern, std::make_shared<Compiled>(pattern)).first;
    }
    const re2::RE2& regex = found->second->regex;
    if (!regex.ok()) return std::nullopt;
    constexpr int most = 10;
    re2::StringPiece groups[most];
    const int count = std::min(most, 1 + regex.NumberOfCapturingGroups());
    if (!regex.Match(piece(text), 0, text.size(), re2::RE2::ANCHOR_BOTH, groups, count)) return std::nullopt;
    std::vector<std::string> matched;
    for (int i = 0; i < count; ++i) matched.emplace_back(groups[i].data() ? groups[i].data() : "", groups[i].size());
    return matched;
}

std::optional<std::string_view> pattern_in(std::string_view local_part) noexcept {
    if (local_part.size() < 3 || local_part.front() != '/' || local_part.back() != '/') return std::nullopt;
    return local_part.substr(1, local_part.size() - 2);
}

std::string substitute(std::string_view text, const std::vector<std::string>& groups) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        const char next = text[++i];
        if (!text::is_digit(next)) out += next;
        else if (static_cast<std::size_t>(next - '0') < groups.size())
            out += groups[static_cast<std::size_t>(next - '0')];
    }
    return out;
}

int highest_group(std::string_view text) noexcept {
    int highest = -1;
    for (std::size_t i = 0; i + 1 < text.size(); ++i)
        if (text[i] == '\\' && text::is_digit(text[++i])) highest = std::max(highest, text[i] - '0');
    return highest;
}

int groups_of(std::string_view pattern) {
    const re2::RE2 regex(piece(pattern), options());
    return regex.ok() ? regex.NumberOfCapturingGroups() : 0;
}

}  // namespace gk::directory
