// SPDX-License-Identifier: MIT
#include "common/imap/host/stdio.hpp"

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/directory/directory.hpp"
#include "common/imap/host/carry.hpp"
#include "common/imap/host/settings.hpp"
#include "common/os/owner.hpp"
#include "common/store/change_socket.hpp"

namespace gk::imap {

namespace {

// Nobody watches the mailbox for us, and looking costs two stat calls.
constexpr std::chrono::milliseconds kLookInterval{1000};

// Nobody handed it over: asked of gk.db, where there is one and the caller may read it. Who may not could fill the
// Maildir by hand just as well.
store::Quota quota_of(const config::Paths& paths, const std::string& name) {
    const auto directory = directory::Directory::open(paths, true);
    if (!directory) return {};
    const auto account = (*directory)->find_account(name);
    if (!account || !*account) return {};
    const auto limit = [](std::int64_t n) { return static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0)); };
    return {limit((*account)->quota_bytes), limit((*account)->quota_messages)};
}

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
    options.quota = quota_of(config.paths(), name);
    GK_TRY(auto account, store::Account::open(home, options));
    GK_TRY(const os::Signals signals, os::Signals::install());

    SessionOptions can = settings.session;
    can.can_compress = true;
    Session session(std::move(account), can);
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
