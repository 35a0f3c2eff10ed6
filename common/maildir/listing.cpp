// SPDX-License-Identifier: MIT
#include "common/maildir/listing.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <cerrno>
#include <memory>

#include "common/maildir/name.hpp"

namespace gk::maildir {

Status Listing::read(const std::string& directory, bool is_new) {
    DIR* stream = ::opendir(directory.c_str());
    if (stream == nullptr) return fail_errno(fmt::format("cannot open directory '{}'", directory));
    const std::unique_ptr<DIR, int (*)(DIR*)> closer(stream, ::closedir);
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(stream);
        if (entry == nullptr) break;
        const std::string_view name = entry->d_name;
        const auto parsed = parse_name(name);
        // Symbolic links may lead out of the account: never followed. Unknown types are told apart when opened.
        if (!parsed || (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN)) {
            if (name != "." && name != "..") ++ignored_;
            continue;
        }
        entries_.push_back({bytes_.size(), static_cast<std::uint16_t>(name.size()),
                            static_cast<std::uint16_t>(parsed->base.size()), is_new});
        bytes_.append(name);
    }
    if (errno != 0) return fail_errno(fmt::format("cannot read directory '{}'", directory));
    return ok();
}

Stamp stamp_of(const std::string& path) noexcept {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return {};
    return {static_cast<std::int64_t>(status.st_ino), static_cast<std::int64_t>(status.st_size),
            static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec};
}

}  // namespace gk::maildir
