// SPDX-License-Identifier: MIT
#include "common/maildir/name.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <atomic>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/os/file.hpp"

namespace gk::maildir {

namespace {

constexpr std::size_t kNameMax = 255;  // NAME_MAX of every file system that matters

struct LetterFlag {
    char letter;
    std::uint8_t flag;
};
// In ASCII order, so that formatting needs no sort.
constexpr LetterFlag kLetters[] = {{'D', kDraft}, {'F', kFlagged}, {'R', kAnswered}, {'S', kSeen}, {'T', kDeleted}};

// The number after ",X=" where X is KEY. A field ends at the next comma.
std::optional<std::uint64_t> find_size(std::string_view base, char key) noexcept {
    for (std::size_t at = base.find(','); at != std::string_view::npos; at = base.find(',', at + 1)) {
        if (at + 2 >= base.size() || base[at + 1] != key || base[at + 2] != '=') continue;
        const auto end = base.find(',', at + 1);
        return text::to_uint(base.substr(at + 3, end == std::string_view::npos ? end : end - at - 3));
    }
    return std::nullopt;
}

std::string make_host_name() {
    char buffer[256] = {};
    if (::gethostname(buffer, sizeof buffer - 1) != 0 || buffer[0] == '\0') return "localhost";
    std::string name;
    for (const char c : std::string_view(buffer).substr(0, 64)) {
        if (c == '/') name += "\\057";
        else if (c == ':') name += "\\072";
        else if (c > ' ' && c < 0x7f && c != ',') name += c;
    }
    return name.empty() ? "localhost" : name;
}

std::string make_boot_id() {
    if (const auto bytes = os::read_file("/proc/sys/kernel/random/boot_id", 256); bytes) {
        const auto trimmed = text::trim(*bytes);
        if (!trimmed.empty()) return std::string(trimmed);
    }
    return "unknown-" + new_id();
}

}  // namespace

std::string_view base_of(std::string_view name) noexcept { return name.substr(0, name.find(':')); }

std::optional<FileName> parse_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > kNameMax || name[0] == '.' || name[0] == ':') return std::nullopt;
    for (const char c : name)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '/') return std::nullopt;
    FileName parsed;
    parsed.base = base_of(name);
    const auto info = name.substr(parsed.base.size());
    parsed.has_info = info.starts_with(":2,");
    if (parsed.has_info) {
        parsed.letters = info.substr(3);
        // Dovecot's own extension of the info part, other fields after a comma, holds no flags.
        parsed.letters = parsed.letters.substr(0, parsed.letters.find(','));
    }
    parsed.size = find_size(parsed.base, 'S');
    parsed.wire = find_size(parsed.base, 'W');
    return parsed;
}

Letters parse_letters(std::string_view letters) {
    Letters parsed;
    for (const char c : letters) {
        if (c >= 'a' && c <= 'z') {
            parsed.keywords |= std::uint32_t{1} << (c - 'a');
            continue;
        }
        bool known = false;
        for (const auto& [letter, flag] : kLetters)
            if (c == letter) parsed.flags |= flag, known = true;
        if (!known && c > ' ' && c < 0x7f && c != ':' && c != ',' && c != '/' &&
            parsed.others.find(c) == std::string::npos)
            parsed.others += c;
    }
    std::sort(parsed.others.begin(), parsed.others.end());
    return parsed;
}

std::string format_letters(const Letters& letters) {
    std::string out;
    for (const auto& [letter, flag] : kLetters)
        if ((letters.flags & flag) != 0) out += letter;
    if (!letters.others.empty()) {
        out += letters.others;
        std::sort(out.begin(), out.end());
    }
    for (unsigned bit = 0; bit < 26; ++bit)
        if ((letters.keywords >> bit & 1) != 0) out += static_cast<char>('a' + bit);
    return out;
}

std::string format_name(std::string_view base, const Letters& letters) {
    std::string name(base);
    name += ":2,";
    return name += format_letters(letters);
}

std::string unique_base() {
    static std::atomic<std::uint64_t> count{0};
    const auto us = now().time_since_epoch().count();
    return fmt::format("{}.M{}P{}Q{}.{}", us / 1'000'000, us % 1'000'000, ::getpid(), ++count, host_name());
}

std::string with_sizes(std::string_view base, std::uint64_t size, std::uint64_t wire) {
    return fmt::format("{},S={},W={}", base, size, wire);
}

const std::string& boot_id() {
    static const std::string boot = make_boot_id();
    return boot;
}

const std::string& host_name() {
    static const std::string name = make_host_name();
    return name;
}

}  // namespace gk::maildir
