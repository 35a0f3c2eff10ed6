// SPDX-License-Identifier: MIT
#include <unistd.h>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>

#include "cmd/gk-deliver/gk_deliver.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/lmtp/host.hpp"
#include "common/os/daemon.hpp"
#include "common/os/sandbox.hpp"
#include "common/store/account.hpp"

namespace gk::deliver {

namespace {

constexpr std::size_t kStackBytes = 512 * 1024;

std::string hostname_of(const config::Config& config) {
    if (const auto& configured = config.string("server.hostname"); !configured.empty()) return configured;
    char name[256] = "localhost";
    ::gethostname(name, sizeof name - 1);
    return name;
}

// What connections work with; a reload puts another in its place, and the messages that run keep the old one.
class Current {
public:
    Status load(const config::Paths& paths) {
        GK_TRY(auto config, config::Config::load(paths));
        GK_TRY(auto deliverer, delivery::Deliverer::open(config, delivery::Deliverer::Index::Soon));
        auto options = std::make_shared<lmtp::HostOptions>(lmtp::HostOptions::from(config, hostname_of(config)));
        lmtp::Service next{std::move(deliverer), std::move(options)};
        {
            const std::lock_guard lock(mutex_);
            config_ = std::move(config);
            std::swap(service_, next);
        }
        return ok();  // the old one may end here, when it has indexed what waits
    }
    lmtp::Service service() const {
        const std::lock_guard lock(mutex_);
        return service_;
    }
    const config::Config& config() const noexcept { return config_; }  // for the main thread

private:
    mutable std::mutex mutex_;
    config::Config config_;
    lmtp::Service service_;
};

// Mail and spool may change, the directory may be read; nothing else is there.
Status close_in(const std::string& root, const config::Config& config) {
    const auto& paths = config.paths();
    os::Sandbox sandbox;
    // The whole directory of gk.toml, since a changed one is a new file.
    sandbox.read_only = {root.empty() ? "/etc/gk" : root,
                         paths.directory_db,
                         paths.directory_db + "-wal",
                         paths.directory_db + "-shm",
                         "/etc/localtime",
                         "/usr/share/zoneinfo",
                         paths.keys + "/srs"};
    for (const auto* scripts : {"sieve.before", "sieve.after", "sieve.global"})
        if (const auto& directory = config.string(scripts); !directory.empty()) sandbox.read_only.push_back(directory);
    sandbox.read_write = {paths.mail, paths.spool, paths.run};
    sandbox.sockets = os::Sockets::Unix;
    GK_TRY(const auto report, os::enter(sandbox));
    log::Event("sandbox.entered", log::Level::Debug).field("outcome", report.describe());
    return ok();
}

void handle(net::Accepted accepted, const lmtp::CurrentService& current, const std::atomic<bool>& stopping) {
    try {
        lmtp::serve(*accepted.stream, current, stopping);
    } catch (const std::exception& error) {  // memory exhausted, or a bug: this connection ends, the others go on
        log::Event("session.failed", log::Level::Error).field("error", error.what());
    }
}

}  // namespace

int serve(const std::string& root) {
    log::open("gk-deliver");
    const auto paths = config::Paths::under(root);
    auto signals = os::Signals::install();
    if (!signals) return cli::fail(signals.error());
    auto sockets = os::take_listen_fds();
    if (!sockets) return cli::fail(sockets.error());
    std::vector<net::Listener> listeners;
    for (auto& socket : *sockets)
        if (socket.name == "lmtp") listeners.push_back({.fd = std::move(socket.fd), .name = socket.name});
    if (listeners.empty())
        return cli::fail({Errc::Config, "no socket named 'lmtp' was handed over; start me with systemd or gk-up"});

    ::setenv("SQLITE_TMPDIR", paths.mail.c_str(), 0);
    store::warm_up();
    Current current;
    if (const auto loaded = current.load(paths); !loaded) return cli::fail(loaded.error());
    if (const auto closed = close_in(root, current.config()); !closed) return cli::fail(closed.error());

    net::ServerOptions options;
    options.max_connections = static_cast<std::size_t>(current.config().integer("delivery.connections"));
    options.max_per_address = options.max_connections;  // our clients are our own programs
    options.stack_bytes = kStackBytes;
    options.io_timeout = current.service().options->idle_timeout;
    const std::atomic<bool>* stopping = nullptr;
    const lmtp::CurrentService service = [&current] { return current.service(); };
    net::Server server(
        std::move(listeners), options, [&](net::Accepted accepted) { handle(std::move(accepted), service, *stopping); },
        [](net::Accepted accepted, net::Refusal) {
            (void)accepted.stream->write_all("421 4.3.2 too many connections\r\n", std::chrono::seconds(1));
        });
    stopping = &server.stop_flag();
    if (const auto started = server.start(); !started) return cli::fail(started.error());
    os::notify_ready();
    log::Event("daemon.ready");

    os::run_until_stopped(*signals, [&]() -> Status {
        GK_CHECK(current.load(paths));
        const auto connections = static_cast<std::size_t>(current.config().integer("delivery.connections"));
        server.set_limits(connections, connections);
        return ok();
    });
    const bool drained = server.stop(std::chrono::seconds(current.config().duration_s("server.drain_timeout")));
    const auto flushes = current.service().deliverer->flushes();
    log::Event("daemon.stopped")
        .field("drained", drained)
        .field("file_flushes", flushes.files)
        .field("directory_flushes", flushes.directories)
        .field("group_flushes", flushes.groups);
    // A delivery that did not end in time was not answered: its client keeps the message. Its thread uses what a normal
    // exit would destroy.
    if (!drained) ::_exit(0);
    return 0;
}

}  // namespace gk::deliver
