// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/os/file.hpp"
#include "common/srs/srs.hpp"

namespace gk::srs {

namespace {

constexpr std::size_t kSecret = 32;  // bytes
constexpr std::size_t kMostSecrets = 100;

std::string format(const std::vector<Secrets::Entry>& entries) {
    std::string text;
    for (const auto& entry : entries)
        text += format_rfc3339(from_unix_s(entry.created_s)) + " " + text::to_hex(entry.secret) + "\n";
    return text;
}

}  // namespace

Result<std::vector<Secrets::Entry>> parse_secrets(std::string_view text) {
    std::vector<Secrets::Entry> entries;
    for (const auto line : text::split(text, '\n')) {
        if (text::trim(line).empty()) continue;
        const auto words = text::words(line);
        const auto created = words.size() == 2 ? parse_rfc3339(words[0]) : std::nullopt;
        const auto secret = words.size() == 2 ? text::from_hex(words[1]) : std::nullopt;
        if (!created || !secret || secret->size() < 16 || entries.size() >= kMostSecrets)
            return fail(Errc::Config, "not a file of secrets");
        entries.push_back({*secret, to_unix_s(*created)});
    }
    if (entries.empty()) return fail(Errc::Config, "no secret in it");
    return entries;
}

Status Secrets::create_missing(TimePoint now) const {
    if (os::exists(path())) return ok();
    GK_CHECK(os::make_directories(directory_));
    const std::string mine = path() + "." + new_id();
    GK_CHECK(os::replace_file(mine, format({{random_bytes(kSecret), to_unix_s(now)}})));
    const Status named = os::rename_new(mine, path());
    if (named) return os::sync_directory(directory_);
    (void)os::unlink(mine);
    return named.error().code == Errc::Exists ? ok() : named;
}

Status Secrets::rotate(std::int64_t keep_s, TimePoint now) const {
    GK_CHECK(create_missing(now));
    GK_TRY(auto old, entries());
    std::vector<Entry> next = {{random_bytes(kSecret), to_unix_s(now)}};
    // One is replaced when the one before it in the file was made.
    for (auto& entry : old) {
        const std::int64_t replaced_s = next.back().created_s;
        if (to_unix_s(now) - replaced_s <= keep_s && next.size() < kMostSecrets) next.push_back(std::move(entry));
        else break;
    }
    return os::replace_file(path(), format(next));
}

Result<std::vector<Secrets::Entry>> Secrets::entries() const {
    GK_TRY(const std::string text, os::read_file(path(), 1 << 20));
    auto parsed = parse_secrets(text);
    if (!parsed) return fail(parsed.error().in(path()));
    return parsed;
}

Result<std::vector<std::string>> Secrets::read() const {
    struct stat status {};
    if (::stat(path().c_str(), &status) != 0) return fail_errno(fmt::format("cannot read '{}'", path()));
    const std::int64_t mtime_ns = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
    const auto inode = static_cast<std::int64_t>(status.st_ino);
    const std::lock_guard lock(mutex_);
    if (mtime_ns != known_mtime_ns_ || inode != known_inode_) {
        GK_TRY(const auto all, entries());
        known_.clear();
        for (const auto& entry : all) known_.push_back(entry.secret);
        known_mtime_ns_ = mtime_ns;
        known_inode_ = inode;
    }
    return known_;
}

}  // namespace gk::srs
