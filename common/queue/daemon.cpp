// SPDX-License-Identifier: MIT
#include "common/queue/daemon.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <shared_mutex>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/directory/directory.hpp"
#include "common/net/server.hpp"
#include "common/os/daemon.hpp"
#include "common/os/file.hpp"
#include "common/os/sandbox.hpp"
#include "common/queue/engine.hpp"
#include "common/queue/spool.hpp"

namespace gk::queue {
namespace {

// Our domains, from gk.db. Without a gk.db there are none yet; it may appear later.
class LocalDomains {
public:
    LocalDomains(config::Paths paths, directory::Limits limits)
        : paths_(std::move(paths)), limits_(std::move(limits)) {}

    Result<bool> contains(std::string_view domain) {
        std::shared_ptr<directory::Directory> directory;
        {
            const std::lock_guard lock(mutex_);
            if (!directory_) {
                if (!os::exists(paths_.directory_db)) return false;
                GK_TRY(directory_, directory::Directory::open(paths_, true, limits_));
            }
            directory = directory_;
        }
        return directory->is_local_domain(domain);
    }

private:
    config::Paths paths_;
    directory::Limits limits_;
    std::mutex mutex_;
    std::shared_ptr<directory::Directory> directory_;
};

// What gk-status and systemctl status say.
std::string status_line(const Drained& drained) {
    if (drained.empty()) return "serving";
    if (drained.contains("*")) return "drained: no deliveries begin";
    std::string line = "drained: " + text::join({drained.begin(), drained.end()}, ", ");
    if (line.size() > 300) line = fmt::format("drained: {} domains", drained.size());
    return line;
}

// The engine, with its configuration. Requests wait while it is read again.
class Current final : public Access {
public:
    explicit Current(config::Paths paths) : paths_(std::move(paths)) {}

    Status start() {
        GK_TRY(auto config, config::Config::load(paths_));
        GK_TRY(auto settings, Settings::from(config));
        auto local = std::make_shared<LocalDomains>(paths_, directory::Limits::from(config));
        const auto is_local = [local](std::string_view domain) { return local->contains(domain); };
        const std::unique_lock lock(mutex_);
        if (engine_) return engine_->reload(settings, is_local);
        GK_TRY(engine_, Engine::start(settings, is_local));
        return ok();
    }
    bool drain() {
        const std::unique_lock lock(mutex_);
        return !engine_ || engine_->drain();
    }

    Status list(const Filter& filter, const std::function<void(const Summary&)>& each) override {
        return with([&](Engine& engine) { return engine.list(filter, each); });
    }
    Result<Detail> show(const std::string& id) override {
        return with([&](Engine& engine) { return engine.show(id); });
    }
    Result<Facts> explain(const std::string& id) override {
        return with([&](Engine& engine) { return engine.explain(id); });
    }
    Result<std::string> read(const std::string& id, std::uint64_t offset, std::size_t count) override {
        return with([&](Engine& engine) { return engine.read(id, offset, count); });
    }
    Status change(const Command& command, const std::string& id) override {
        return with([&](Engine& engine) { return engine.change(command, id); });
    }
    Status schedule(const std::string& id, TimePoint until) override {
        return with([&](Engine& engine) { return engine.schedule(id, until); });
    }
    Result<std::uint64_t> flush() override {
        return with([](Engine& engine) { return engine.flush(); });
    }
    Result<bool> take_report(const std::string& account, const message::DeliveryReport& report) override {
        return with([&](Engine& engine) { return engine.take_report(account, report); });
    }
    Status bounces(const std::function<void(const Bounce&)>& each) override {
        return with([&](Engine& engine) { return engine.bounces(each); });
    }
    Result<std::vector<Stat>> stats(By by) override {
        return with([&](Engine& engine) { return engine.stats(by); });
    }
    Result<Drained> drain(const std::optional<DrainChange>& change) override {
        GK_TRY(const auto drained, with([&](Engine& engine) { return engine.drain(change); }));
        if (change) os::notify_status(status_line(drained));
        return drained;
    }

private:
    template <class F>
    auto with(F f) -> decltype(f(std::declval<Engine&>())) {
        const std::shared_lock lock(mutex_);
        if (!engine_) return fail(Errc::Temporary, "the queue is not running");
        return f(*engine_);
    }

    config::Paths paths_;
    std::shared_mutex mutex_;
    std::unique_ptr<Engine> engine_;
};

Result<std::vector<net::Listener>> take_listeners(const config::Paths& paths) {
    GK_TRY(auto handed, os::take_listen_fds());
    std::vector<net::Listener> listeners;
    for (auto& socket : handed)
        if (socket.name == "queue") listeners.push_back({.fd = std::move(socket.fd), .name = socket.name});
    if (!listeners.empty()) return listeners;
    // Started by hand.
    const std::string path = paths.run + "/queue.sock";
    GK_CHECK(os::make_directories(paths.run, 0755));
    (void)os::unlink(path);
    GK_TRY(auto fd, net::listen_unix(path));
    listeners.push_back({.fd = std::move(fd), .name = "queue"});
    return listeners;
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// The spool may change; the directory, the configuration and what DNS and TLS need may be read; nothing else is there.
Status close_in(const config::Paths& paths, const config::Config& config) {
    os::Sandbox sandbox;
    // The directory of gk.toml, not the file: whoever edits it puts another file in its place.
    sandbox.read_only = {parent_of(paths.toml),
                         paths.toml_dir,
                         paths.directory_db,
                         paths.directory_db + "-wal",
                         paths.directory_db + "-shm",
                         "/etc/resolv.conf",
                         "/etc/ssl",
                         "/usr/lib/ssl",
                         "/usr/share/ca-certificates",
                         "/usr/share/dns",
                         "/dev/urandom",
                         "/dev/null",
                         "/etc/localtime",
                         "/usr/share/zoneinfo"};
    const auto& anchors = config.string("dns.trust_anchor_file");
    if (!anchors.empty()) sandbox.read_only.push_back(parent_of(anchors));
    const auto& authorities = config.string("tls.ca_file");
    if (!authorities.empty()) sandbox.read_only.push_back(parent_of(authorities));
    for (const auto& [host, file] : config.table("queue.credentials")) sandbox.read_only.push_back(parent_of(file));
    sandbox.read_write = {paths.spool, paths.run};
    for (const auto& [domain, route] : config.table("queue.routes"))
        if (route.starts_with("lmtp:unix:/")) sandbox.read_write.push_back(parent_of(route.substr(10)));
    sandbox.sockets = os::Sockets::Any;
    // A gk.db that does not exist yet could not be named, and would stay out of reach.
    sandbox.confine_files = os::exists(paths.directory_db);
    GK_TRY(const auto report, os::enter(sandbox));
    log::Event("sandbox.entered", log::Level::Debug).field("outcome", report.describe());
    return ok();
}

}  // namespace

Status run_daemon(const std::string& root) {
    const auto paths = config::Paths::under(root);
    GK_TRY(auto signals, os::Signals::install());
    // Before anything else opens files: the sockets are descriptors 3 and up.
    GK_TRY(auto listeners, take_listeners(paths));
    {
        GK_TRY(const auto config, config::Config::load(paths));
        GK_CHECK(create_spool(paths.spool));
        GK_CHECK(close_in(paths, config));
    }
    Current current(paths);
    GK_CHECK(current.start());

    net::ServerOptions options;
    options.max_connections = 32;
    options.max_per_address = 32;
    options.max_idle_threads = 2;
    const std::atomic<bool>* stopping = nullptr;
    net::Server server(
        std::move(listeners), options,
        [&](net::Accepted accepted) {
            accepted.stream->set_cancel(stopping);
            serve_control(*accepted.stream, current);
        },
        [](net::Accepted accepted, net::Refusal) {
            (void)accepted.stream->write_all(
                "{\"ok\":false,\"code\":\"temporary\",\"text\":\"too many connections\"}\n", std::chrono::seconds(1));
        });
    stopping = &server.stop_flag();
    GK_CHECK(server.start());
    os::notify_ready(status_line(current.drain({}).value_or(Drained())));
    log::Event("daemon.ready").field("spool", paths.spool);

    os::run_until_stopped(signals, [&] { return current.start(); });
    const bool answered = server.stop(std::chrono::seconds(1));
    const bool drained = current.drain() && answered;
    log::Event("daemon.stopped").field("drained", drained);
    // Sessions that did not end in time are cut off: their threads use what a normal exit would destroy, and all that
    // is promised is on disk.
    if (!drained) ::_exit(0);
    return ok();
}

}  // namespace gk::queue
