// SPDX-License-Identifier: MIT
#include "common/maildir/texts.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/maildir/layout.hpp"

namespace gk::maildir {

namespace {

// Past this many names a subscriptions file is not a person's; what is past it is passed over.
constexpr std::size_t kMaxSubscriptions = 100'000;

}  // namespace

bool is_keyword(std::string_view name) noexcept {
    if (name.empty() || name.size() > 255) return false;
    for (const char c : name)
        if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f ||
            std::string_view("(){%*\"\\]").find(c) != std::string_view::npos)
            return false;
    return true;
}

KeywordNames parse_keywords(std::string_view bytes) {
    KeywordNames names;
    for (const auto line : text::split(bytes, '\n')) {
        const auto space = line.find(' ');
        if (space == std::string_view::npos) continue;
        const auto number = text::to_uint(line.substr(0, space));
        const auto name = line.substr(space + 1);
        if (!number || *number >= names.size() || !is_keyword(name) || !names[*number].empty()) continue;
        // One name for one keyword: a repeated name would make two bits of one.
        if (std::any_of(names.begin(), names.end(),
                        [&](const auto& other) { return text::equals_nocase(other, name); }))
            continue;
        names[*number] = std::string(name);
    }
    return names;
}

std::string format_keywords(const KeywordNames& names) {
    std::string out;
    for (std::size_t i = 0; i < names.size(); ++i)
        if (!names[i].empty()) out += fmt::format("{} {}\n", i, names[i]);
    return out;
}

std::vector<std::string> parse_subscriptions(std::string_view bytes) {
    std::vector<std::string> names;
    const bool version_2 = bytes.starts_with("V\t2\n");
    if (version_2) bytes.remove_prefix(4);
    for (const auto line : text::split(bytes, '\n')) {
        if (line.empty() || names.size() >= kMaxSubscriptions) continue;
        const auto separator = version_2 ? '\t' : line.find('/') != std::string_view::npos ? '/' : '.';
        std::vector<std::string> levels;
        for (const auto level : text::split(line, separator)) levels.push_back(decode_level(level));
        auto name = text::join(levels, "/");
        if (text::equals_nocase(name, "INBOX")) name = "INBOX";
        if (!name.empty()) names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

std::string format_subscriptions(const std::vector<std::string>& names) {
    std::string out = "V\t2\n\n";
    for (const auto& name : names) {
        bool first = true;
        for (const auto level : text::split(name, '/')) {
            if (!first) out += '\t';
            first = false;
            out += encode_level(level);
        }
        out += '\n';
    }
    return out;
}

}  // namespace gk::maildir
