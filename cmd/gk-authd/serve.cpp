// SPDX-License-Identifier: MIT
#include <unistd.h>
#include <exception>

#include "cmd/gk-authd/gk_authd.hpp"
#include "common/base/log.hpp"
#include "common/cli/cli.hpp"
#include "common/net/server.hpp"
#include "common/os/daemon.hpp"
#include "common/os/sandbox.hpp"

namespace gk::authd {

namespace {

constexpr std::size_t kStackBytes = 512 * 1024;

struct Service {
    config::Config config;
    std::shared_ptr<directory::Directory> directory;
    std::unique_ptr<auth::Authenticator> authenticator;
    std::atomic<std::int64_t> exchange_timeout_s{60};
    Delays delays;
};

Status open(Service& service, const config::Paths& paths) {
    GK_TRY(service.config, config::Config::load(paths));
    GK_TRY(const auto limits, auth::SubmissionLimits::from(service.config));
    (void)limits;  // said here, where it can be refused; each reads them for itself
    GK_TRY(service.directory, directory::Directory::open(paths, true, directory::Limits::from(service.config)));
    GK_TRY(auto credentials, auth::CredentialStore::open(paths.auth_db));
    service.authenticator = std::make_unique<auth::Authenticator>(
        service.config, std::make_shared<DirectoryAccounts>(service.directory), std::move(credentials));
    return ok();
}

void adopt(Service& service) {
    service.exchange_timeout_s = service.config.duration_s("auth.exchange_timeout");
    service.delays.most = static_cast<int>(service.config.integer("auth.connections") / 2);
}

// auth.db may change, the directory and the configuration may be read; no program is started.
Status close_in(const std::string& root, const config::Paths& paths) {
    os::Sandbox sandbox;
    sandbox.sockets = os::Sockets::Unix;  // connections are accepted, and the service manager is told
    // The whole directory of gk.toml, since a changed one is a new file. Under --root that is everything, which is
    // one person's anyway.
    sandbox.read_only = {root.empty() ? "/etc/gk" : root, "/etc/localtime", "/usr/share/zoneinfo"};
    for (const char* suffix : {"", "-wal", "-shm"}) {
        sandbox.read_only.push_back(paths.directory_db + suffix);
        sandbox.read_write.push_back(paths.auth_db + suffix);
    }
    sandbox.sockets = os::Sockets::Unix;  // readiness is told over a new one each time
    GK_TRY(const auto report, os::enter(sandbox));
    log::Event("sandbox.entered", log::Level::Debug).field("outcome", report.describe());
    return ok();
}

Status reload(Service& service, const config::Paths& paths) {
    GK_TRY(auto config, config::Config::load(paths));
    GK_TRY(const auto limits, auth::SubmissionLimits::from(config));
    (void)limits;
    service.config = std::move(config);
    service.authenticator->reconfigure(service.config);
    service.directory->set_limits(directory::Limits::from(service.config));
    adopt(service);
    return ok();
}

}  // namespace

int serve(const std::string& root) {
    log::open("gk-authd");
    const auto paths = config::Paths::under(root);
    auto signals = os::Signals::install();
    if (!signals) return cli::fail(signals.error());
    auto sockets = os::take_listen_fds();
    if (!sockets) return cli::fail(sockets.error());
    std::vector<net::Listener> listeners;
    for (auto& socket : *sockets)
        if (socket.name == "auth") listeners.push_back({.fd = std::move(socket.fd), .name = socket.name});
    if (listeners.empty())
        return cli::fail({Errc::Config, "no socket named 'auth' was handed over; start me with systemd or gk-up"});

    Service service;
    if (const auto opened = open(service, paths); !opened) return cli::fail(opened.error());
    adopt(service);
    if (const auto closed = close_in(root, paths); !closed) return cli::fail(closed.error());

    net::ServerOptions options;
    options.max_connections = static_cast<std::size_t>(service.config.integer("auth.connections"));
    options.max_per_address = options.max_connections;  // our clients are our own programs
    options.stack_bytes = kStackBytes;
    options.io_timeout = std::chrono::hours(1);
    const std::atomic<bool>* stopping = nullptr;
    net::Server server(
        std::move(listeners), options,
        [&](net::Accepted accepted) {
            try {
                converse(*accepted.stream, *service.authenticator, std::chrono::seconds(service.exchange_timeout_s),
                         service.delays, *stopping);
            } catch (
                const std::exception& error) {  // memory exhausted, or a bug: this connection ends, the others go on
                log::Event("session.failed", log::Level::Error).field("error", error.what());
            }
        },
        [](net::Accepted accepted, net::Refusal) {
            auth::Reply reply;
            reply.code = auth::FailCode::Temp;
            reply.text = "too many connections";
            (void)accepted.stream->write_all(auth::format_reply(reply), std::chrono::seconds(1));
        });
    stopping = &server.stop_flag();
    if (const auto started = server.start(); !started) return cli::fail(started.error());
    os::notify_ready();
    log::Event("daemon.ready");

    os::run_until_stopped(*signals, [&]() -> Status {
        GK_CHECK(reload(service, paths));
        const auto most = static_cast<std::size_t>(service.config.integer("auth.connections"));
        server.set_limits(most, most);
        return ok();
    });
    const bool drained = server.stop(std::chrono::seconds(service.config.duration_s("server.drain_timeout")));
    log::Event("daemon.stopped").field("drained", drained);
    if (!drained) ::_exit(0);  // a thread that still hashes or sleeps uses what a normal exit would destroy
    return 0;
}

}  // namespace gk::authd
