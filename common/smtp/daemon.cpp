// SPDX-License-Identifier: MIT
#include "common/smtp/daemon.hpp"

#include <malloc.h>
#include <unistd.h>
#include <cstdlib>

#include "common/base/log.hpp"
#include "common/mailauth/resolver_source.hpp"
#include "common/os/daemon.hpp"
#include "common/os/sandbox.hpp"
#include "common/smtp/host.hpp"
#include "common/tls/identities.hpp"

namespace gk::smtp {
namespace {

Result<tls::ServerContext::Options> tls_options(const config::Config& config) {
    tls::ServerContext::Options options;
    GK_TRY(options.identities,
           tls::find_identities(config.string("tls.certificate"), config.string("tls.key"), config.paths().keys));
    return options;
}

// Nothing where there is no certificate: mail is then taken in clear, and said so.
Result<std::shared_ptr<tls::ServerContext>> open_tls(const config::Config& config) {
    auto options = tls_options(config);
    if (!options && options.error().code == Errc::NotFound) {
        log::Event("tls.missing", log::Level::Warning).field("error", options.error().text);
        return std::shared_ptr<tls::ServerContext>();
    }
    if (!options) return fail(std::move(options).error());
    return tls::ServerContext::create(std::move(*options));
}

Result<net::ServerOptions> server_options(const config::Config& config) {
    net::ServerOptions options;
    options.max_connections = static_cast<std::size_t>(config.integer("smtp.max_connections"));
    options.max_per_address = static_cast<std::size_t>(config.integer("smtp.max_connections_per_address"));
    // What a connection needs first; equal values cost no system call later.
    options.io_timeout = std::chrono::seconds(config.duration_s("smtp.command_timeout"));
    options.pressure_timeout = std::chrono::seconds(config.duration_s("smtp.pressure_timeout"));
    GK_TRY(options.trusted, net::Networks::parse(config.strings("server.trusted_networks")));
    GK_TRY(options.proxies, net::Networks::parse(config.strings("smtp.proxy_networks")));
    return options;
}

Result<std::vector<net::Listener>> take_listeners(const config::Config& config) {
    GK_TRY(auto fds, os::take_listen_fds());
    const auto& proxied = config.strings("smtp.proxy_listeners");
    std::vector<net::Listener> listeners;
    for (auto& fd : fds) {
        if (!service_named(fd.name))
            return fail(Errc::Config, "socket '" + fd.name + "' is none of smtp, submission, submissions and submit");
        const bool proxy = fd.name != "submit" && std::find(proxied.begin(), proxied.end(), fd.name) != proxied.end();
        listeners.push_back({std::move(fd.fd), std::move(fd.name), proxy});
    }
    if (listeners.empty())
        return fail(Errc::Config, "no sockets were handed over; gk-up or systemd starts this program");
    return listeners;
}

// Its own share in the resolver: a message under way outlives a reload.
class SharedSource : public mailauth::ResolverSource {
public:
    explicit SharedSource(std::shared_ptr<dns::Resolver> resolver)
        : ResolverSource(*resolver), resolver_(std::move(resolver)) {}

private:
    std::shared_ptr<dns::Resolver> resolver_;
};

// One resolver for the whole program, so that what it remembers serves all connections. Null where nothing is checked.
Result<std::shared_ptr<const MakeDnsSource>> make_dns(const config::Config& config, const HostSettings& settings) {
    if (!settings.gate->active() && !settings.policy->wants_dns()) return std::shared_ptr<const MakeDnsSource>();
    dns::Options options;
    options.servers = config.strings("dns.resolver");
    options.stubs = config.table("dns.stubs");
    options.trust_anchor_file = config.string("dns.trust_anchor_file");
    options.timeout = std::chrono::seconds(config.duration_s("dns.timeout"));
    options.max_in_flight = static_cast<unsigned>(config.integer("dns.queries"));
    options.keep_answers = 4096;  // about 1 MB
    GK_TRY(auto created, dns::Resolver::create(options));
    std::shared_ptr<dns::Resolver> resolver = std::move(created);
    return std::make_shared<const MakeDnsSource>([resolver] { return std::make_unique<SharedSource>(resolver); });
}

struct Daemon {
    config::Paths paths;
    std::shared_ptr<tls::ServerContext> tls;
    std::unique_ptr<Host> host;
    std::unique_ptr<net::Server> server;

    Status reload() {
        GK_TRY(const auto config, config::Config::load(paths));
        GK_TRY(auto settings, HostSettings::from(config, tls != nullptr));
        if (tls) {
            GK_TRY(auto options, tls_options(config));
            GK_CHECK(tls->reload(std::move(options)));
        }
        GK_TRY(auto dns, make_dns(config, *settings));
        host->set_settings(std::move(settings));
        host->set_dns(std::move(dns));
        server->set_limits(static_cast<std::size_t>(config.integer("smtp.max_connections")),
                           static_cast<std::size_t>(config.integer("smtp.max_connections_per_address")));
        return ok();
    }
};

std::string parent_of(const std::string& path) { return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)); }

// Reads configuration and certificates, writes to the spool, speaks to its neighbours' sockets and asks DNS; nothing
// else.
Status close_in(const std::string& root, const config::Config& config) {
    const auto& paths = config.paths();
    os::Sandbox sandbox;
    // To other hosts for DNS alone.
    sandbox.sockets = os::Sockets::Any;
    // The whole directory of gk.toml and of each certificate, since a changed one is a new file.
    sandbox.read_only = {root.empty() ? "/etc/gk" : root, paths.keys, "/etc/localtime", "/usr/share/zoneinfo"};
    for (const char* key : {"tls.certificate", "tls.key"}) {
        const std::string& file = config.string(key);
        if (const auto slash = file.rfind('/'); slash != std::string::npos && slash > 0)
            sandbox.read_only.push_back(file.substr(0, slash));
    }
    for (const char* file : {"/etc/resolv.conf", "/usr/share/dns", "/usr/share/publicsuffix", "/dev/urandom"})
        sandbox.read_only.push_back(file);
    for (const char* key : {"dns.trust_anchor_file", "dmarc.public_suffix_list"})
        if (const std::string& file = config.string(key); !file.empty()) sandbox.read_only.push_back(parent_of(file));
    if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY")) sandbox.read_only.push_back(credentials);
    // The names in sendmail.senders are looked up again at each reload.
    if (!config.table("sendmail.senders").empty()) sandbox.read_only.push_back("/etc");
    sandbox.read_write = {paths.spool};
    GK_TRY(const auto report, os::enter(sandbox));
    log::Event("sandbox.entered", log::Level::Debug).field("outcome", report.describe());
    return ok();
}

void bound_memory() {
    // Hundreds of threads, each with little to allocate: a heap for each would cost more than the lock does.
    ::mallopt(M_ARENA_MAX, 4);
    ::mallopt(M_TRIM_THRESHOLD, 4 << 20);
    ::mallopt(M_MMAP_THRESHOLD, 256 << 10);
}

}  // namespace

Status run_daemon(const std::string& root) {
    bound_memory();
    Daemon daemon;
    daemon.paths = config::Paths::under(root);
    GK_TRY(const auto config, config::Config::load(daemon.paths));
    GK_TRY(auto signals, os::Signals::install());
    GK_TRY(auto listeners, take_listeners(config));
    GK_TRY(daemon.tls, open_tls(config));
    GK_TRY(auto settings, HostSettings::from(config, daemon.tls != nullptr));
    GK_TRY(auto options, server_options(config));
    GK_CHECK(close_in(root, config));
    GK_TRY(auto dns, make_dns(config, *settings));  // it has threads
    daemon.host = std::make_unique<Host>(config, std::move(settings), daemon.tls);
    daemon.host->set_dns(std::move(dns));
    auto& host = *daemon.host;
    daemon.server = std::make_unique<net::Server>(
        std::move(listeners), std::move(options), [&host](net::Accepted accepted) { host.serve(std::move(accepted)); },
        [&host](net::Accepted accepted, net::Refusal refusal) { host.refuse(std::move(accepted), refusal); });
    host.set_server(daemon.server.get());
    GK_CHECK(daemon.server->start());
    os::notify_ready("serving");
    log::Event("daemon.ready").field("tls", daemon.tls != nullptr);

    os::run_until_stopped(signals, [&] { return daemon.reload(); });
    const bool drained = daemon.server->stop(std::chrono::seconds(config.duration_s("server.drain_timeout")));
    log::Event("daemon.stopped").field("drained", drained);
    // A thread that still waits for another program has promised its client nothing.
    if (!drained) ::_exit(0);
    return ok();
}

}  // namespace gk::smtp
