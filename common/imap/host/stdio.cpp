// SPDX-License-Identifier: MIT
#include "common/imap/host/stdio.hpp"

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/imap/host/carry.hpp"
#include "common/imap/host/settings.hpp"
#include "common/os/owner.hpp"
#include "common/store/change_socket.hpp"

namespace gk::imap {

namespace {

// Nobody watches the mailbox for us, and looking costs two stat calls.
constexpr std::chrono::milliseconds kLookInterval{1000};

}  // namespace

Status serve_stdio(const StdioSession& what) {
    GK_TRY(const config::Config config, config::Config::load(config::Paths::under(what.root)));
    const HostSettings settings = host_settings(config);
    const std::string name = text::lower(what.account);
    GK_TRY(const std::string home, home_of(config.paths().mail, name));
    GK_CHECK(os::become_owner_of(home));
    store::ChangeSocket changes(config.paths().run + "/changes.sock");
    store::AccountOptions options;
    options.name = name;
    options.message_limits = settings.message;
    options.sink = &changes;
    GK_TRY(auto account, store::Account::open(home, options));
    GK_TRY(const os::Signals signals, os::Signals::install());

    Session session(std::move(account), settings.session);
    session.greet_preauthenticated();
    CarryOptions wire;
    wire.signals = &signals;
    wire.idle_timeout = settings.idle_timeout;
    wire.write_timeout = settings.write_timeout;
    wire.look_interval = kLookInterval;
    carry(session, wire);
    return ok();
}

}  // namespace gk::imap
