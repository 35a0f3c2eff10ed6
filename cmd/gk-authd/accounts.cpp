// SPDX-License-Identifier: MIT
#include "cmd/gk-authd/gk_authd.hpp"

namespace gk::authd {

Result<std::optional<auth::Accounts::Known>> DirectoryAccounts::find(std::string_view login) {
    auto account = directory_->find_account(login);
    if (!account) {
        if (account.error().code == Errc::BadInput) return std::optional<Known>();  // no address: nobody's login
        return fail(account.error());
    }
    if (!*account) return std::optional<Known>();
    const auto limit = [](std::int64_t n) { return static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0)); };
    return std::optional<Known>(Known{(*account)->address, (*account)->disabled, limit((*account)->quota_bytes),
                                      limit((*account)->quota_messages)});
}

Result<bool> DirectoryAccounts::may_send_as(std::string_view user, std::string_view address) {
    return directory_->may_send_as(user, address);
}

}  // namespace gk::authd
