// SPDX-License-Identifier: MIT
#include "common/tlspolicy/sts_cache.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::tlspolicy {
namespace {

constexpr std::string_view kMagic = "gk-mta-sts 1\n";
constexpr std::size_t kMostBytes = 2 * kMostPolicyBytes;

// Domains become file names.
bool is_file_name(std::string_view domain) noexcept {
    return !domain.empty() && domain.size() <= 253 && domain.front() != '.' &&
           std::all_of(domain.begin(), domain.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || text::is_digit(c) || c == '-' || c == '_' || c == '.';
           });
}

}  // namespace

std::string format_sts_entry(const StsEntry& entry) {
    return fmt::format("{}domain={}\nid={}\nfetched={}\nexpires={}\n\n{}", kMagic, entry.domain, entry.id,
                       to_unix_s(entry.fetched), to_unix_s(entry.expires), format_sts_policy(entry.policy));
}

Result<StsEntry> parse_sts_entry(std::string_view text) {
    if (!text.starts_with(kMagic)) return fail(Errc::BadInput, "that is no cached MTA-STS policy");
    text.remove_prefix(kMagic.size());
    const auto head_end = text.find("\n\n");
    if (head_end == std::string_view::npos) return fail(Errc::BadInput, "a cached MTA-STS policy is cut short");
    StsEntry entry;
    for (const auto line : text::split(text.substr(0, head_end), '\n')) {
        const auto equals = line.find('=');
        if (equals == std::string_view::npos) return fail(Errc::BadInput, "a cached MTA-STS policy has a bad line");
        const auto key = line.substr(0, equals), value = line.substr(equals + 1);
        if (key == "domain") entry.domain = value;
        else if (key == "id") entry.id = value;
        else if (key == "fetched" || key == "expires") {
            const auto seconds = text::to_uint(value);
            // Past the year 5000 no calendar of ours counts.
            if (!seconds || *seconds > 100'000'000'000)
                return fail(Errc::BadInput, "a cached MTA-STS policy has a bad time");
            (key == "fetched" ? entry.fetched : entry.expires) = from_unix_s(static_cast<std::int64_t>(*seconds));
        }
    }
    if (!is_file_name(entry.domain)) return fail(Errc::BadInput, "a cached MTA-STS policy names no domain");
    GK_TRY(entry.policy, parse_sts_policy(text.substr(head_end + 2)));
    return entry;
}

std::optional<StsEntry> StsCache::find(const std::string& domain) const {
    if (!is_file_name(domain)) return {};
    const auto text = os::read_file(dir_ + "/" + domain, kMostBytes);
    if (!text) return {};
    auto entry = parse_sts_entry(*text);
    if (!entry || entry->domain != domain) return {};
    return std::move(*entry);
}

Status StsCache::put(const StsEntry& entry) {
    if (!is_file_name(entry.domain))
        return fail(Errc::BadInput, fmt::format("'{}' is not a domain", text::printable(entry.domain, 80)));
    GK_CHECK(os::make_directories(dir_, 0750));
    const std::string path = dir_ + "/" + entry.domain;
    if (!os::exists(path)) {
        // Names alone are cheap to count. Once there are too many, a sixteenth goes at once, so that reading all is
        // rare.
        GK_TRY(const auto files, os::list_directory(dir_));
        if (files.size() >= most_) {
            GK_TRY(auto entries, list());
            std::sort(entries.begin(), entries.end(),
                      [](const auto& x, const auto& y) { return x.expires < y.expires; });
            const std::size_t keep = most_ - 1 - std::min(most_ - 1, most_ / 16);
            for (std::size_t i = 0; i + keep < entries.size(); ++i) (void)drop(entries[i].domain);
        }
    }
    return os::replace_file(path, format_sts_entry(entry), 0640);
}

Status StsCache::drop(const std::string& domain) {
    if (!is_file_name(domain) || !os::exists(dir_ + "/" + domain))
        return fail(Errc::NotFound, fmt::format("no policy of '{}' is cached", text::printable(domain, 80)));
    return os::unlink(dir_ + "/" + domain);
}

Result<std::vector<StsEntry>> StsCache::list() const {
    std::vector<StsEntry> entries;
    if (!os::exists(dir_)) return entries;
    GK_TRY(const auto files, os::list_directory(dir_));
    for (const auto& file : files)
        if (auto entry = find(file.name)) entries.push_back(std::move(*entry));
    std::sort(entries.begin(), entries.end(), [](const auto& x, const auto& y) { return x.domain < y.domain; });
    return entries;
}

}  // namespace gk::tlspolicy
