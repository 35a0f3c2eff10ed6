// SPDX-License-Identifier: MIT
#include "common/tlspolicy/level.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"

namespace gk::tlspolicy {
namespace {

constexpr std::string_view kNames[] = {"never", "unchecked", "opportunistic", "encrypt", "verify", "secure", "dane"};

}  // namespace

std::string_view level_name(Level level) noexcept { return kNames[static_cast<int>(level)]; }

std::optional<Level> parse_level(std::string_view s) noexcept {
    for (std::size_t i = 0; i < std::size(kNames); ++i)
        if (kNames[i] == s) return static_cast<Level>(i);
    return {};
}

Result<Levels> Levels::create(std::string_view otherwise, const std::map<std::string, std::string>& table) {
    const auto read = [](std::string_view key, std::string_view word) -> Result<Level> {
        if (const auto level = parse_level(word)) return *level;
        return fail(Errc::Config, fmt::format("{}: '{}' is not one of never, unchecked, opportunistic, encrypt, "
                                              "verify, secure and dane",
                                              key, text::printable(word, 40)));
    };
    Levels levels;
    GK_TRY(levels.otherwise_, read("queue.tls", otherwise));
    for (const auto& [domain, word] : table) {
        GK_TRY(const auto level, read(fmt::format("queue.tls_policy: '{}'", text::printable(domain, 80)), word));
        levels.table_[text::lower(domain)] = level;
    }
    return levels;
}

Level Levels::find(std::string_view domain) const {
    if (const auto own = table_.find(domain); own != table_.end()) return own->second;
    for (auto dot = domain.find('.'); dot != std::string_view::npos; dot = domain.find('.', dot + 1))
        if (const auto above = table_.find(domain.substr(dot)); above != table_.end()) return above->second;
    return otherwise_;
}

}  // namespace gk::tlspolicy
