// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "common/auth/authenticator.hpp"
#include "common/directory/directory.hpp"
#include "common/net/stream.hpp"

namespace gk::authd {

int serve(const std::string& root);

// gk.db as the authenticator wants to see it.
class DirectoryAccounts final : public auth::Accounts {
public:
    explicit DirectoryAccounts(std::shared_ptr<directory::Directory> directory) : directory_(std::move(directory)) {}
    Result<std::optional<Known>> find(std::string_view login) override;
    Result<bool> may_send_as(std::string_view user, std::string_view address) override;

private:
    std::shared_ptr<directory::Directory> directory_;
};

// How many answers are being delayed; past MOST the next are not, so that attackers cannot sleep in all threads.
struct Delays {
    std::atomic<int> sleeping{0};
    int most = 0;
};

// One client's requests until it goes.
void converse(net::SocketStream& stream, auth::Authenticator& authenticator, std::chrono::milliseconds exchange_timeout,
              Delays& delays, const std::atomic<bool>& stopping);

}  // namespace gk::authd
