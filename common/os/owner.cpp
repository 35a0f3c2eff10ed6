// SPDX-License-Identifier: MIT
#include "common/os/owner.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gk::os {

Status become_owner_of(const std::string& path) {
    if (::geteuid() != 0) return ok();
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return fail_errno(fmt::format("cannot look at '{}'", path));
    if (status.st_uid == 0) return ok();
    const passwd* const owner = ::getpwuid(status.st_uid);
    const bool groups =
        owner != nullptr ? ::initgroups(owner->pw_name, status.st_gid) == 0 : ::setgroups(0, nullptr) == 0;
    if (!groups || ::setgid(status.st_gid) != 0 || ::setuid(status.st_uid) != 0)
        return fail_errno(fmt::format("cannot become the owner of '{}'", path));
    return ok();
}

}  // namespace gk::os
