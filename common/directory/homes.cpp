// SPDX-License-Identifier: MIT
#include "common/directory/homes.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/os/file.hpp"

namespace gk::directory {

Result<std::vector<Home>> homes_with_mail(const config::Paths& paths) {
    std::vector<Home> homes;
    GK_TRY(const auto domains, os::list_directory(paths.mail));
    for (const auto& domain : domains) {
        if (!domain.is_directory || domain.name.starts_with('.')) continue;
        GK_TRY(const auto users, os::list_directory(paths.mail + '/' + domain.name));
        for (const auto& user : users) {
            std::string path = fmt::format("{}/{}/{}", paths.mail, domain.name, user.name);
            if (user.is_directory && os::exists(path + "/Maildir/cur"))
                homes.push_back({user.name + '@' + domain.name, std::move(path)});
        }
    }
    std::sort(homes.begin(), homes.end(), [](const Home& a, const Home& b) { return a.account < b.account; });
    return homes;
}

}  // namespace gk::directory
