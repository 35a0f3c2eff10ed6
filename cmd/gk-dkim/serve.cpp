// SPDX-License-Identifier: MIT
#include <unistd.h>
#include <exception>

#include "cmd/gk-dkim/arguments.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/dkim_client/wire.hpp"
#include "common/mailauth/dkim/signing_keys.hpp"
#include "common/net/server.hpp"
#include "common/os/daemon.hpp"
#include "common/os/file.hpp"
#include "common/os/sandbox.hpp"

namespace gk::dkim_tool {

using namespace mailauth;

namespace {

constexpr std::size_t kStackBytes = 256 * 1024;
constexpr auto kIdle = std::chrono::hours(1);  // between questions: clients keep connections open
constexpr auto kWrite = std::chrono::seconds(10);

dkim_client::Reply failure(const Error& error) {
    dkim_client::Reply reply;
    reply.code = error.code == Errc::NotFound   ? dkim_client::FailCode::NoKey
                 : error.code == Errc::BadInput ? dkim_client::FailCode::Malformed
                                                : dkim_client::FailCode::Temp;
    reply.text = error.text;
    return reply;
}

dkim_client::Reply answer(const dkim_client::Request& request, dkim::SigningKeys& signing) {
    dkim_client::Reply reply;
    reply.ok = true;
    if (const auto* asked = std::get_if<dkim_client::Keys>(&request)) {
        const auto keys = signing.active(asked->domain);
        if (!keys) return failure(keys.error());
        for (const auto& key : **keys) reply.keys.push_back({key.selector, key.key->algorithm()});
    } else if (const auto* sign = std::get_if<dkim_client::Sign>(&request)) {
        auto signature = signing.sign(sign->domain, sign->selector, sign->digest);
        if (!signature) return failure(signature.error());
        reply.signature = std::move(*signature);
    }
    return reply;
}

void converse(net::SocketStream& stream, dkim::SigningKeys& signing, const std::atomic<bool>& stopping) {
    net::LineReader reader(stream, dkim_client::kMaxLine);
    stream.set_cancel(&stopping);
    while (!stopping) {
        const auto line = reader.read_line(kIdle);
        if (!line) return;
        const auto request = dkim_client::parse_request(*line);
        const auto reply = request ? answer(*request, signing) : failure(request.error());
        // What the disk or a key file says is for the administrator; that a name has no key is an everyday answer.
        if (!reply.ok && reply.code != dkim_client::FailCode::NoKey)
            log::Event("dkim.trouble", log::Level::Warning).field("error", text::printable(reply.text, 400));
        if (!stream.write_all(dkim_client::format_reply(reply), kWrite)) return;
    }
}

// The keys and the configuration may be read, nothing written; no program is started, and nobody is called.
Status close_in(const std::string& root, const std::string& keys) {
    os::Sandbox sandbox;
    sandbox.sockets = os::Sockets::Unix;  // readiness is told over a new one each time
    sandbox.read_only = {root.empty() ? "/etc/gk" : root, keys, "/etc/localtime", "/usr/share/zoneinfo"};
    GK_TRY(const auto report, os::enter(sandbox));
    log::Event("sandbox.entered", log::Level::Debug).field("outcome", report.describe());
    return ok();
}

}  // namespace

int serve(const Arguments& a) {
    log::open("gk-dkim");
    const auto paths = config::Paths::under(a.dns.root);
    auto signals = os::Signals::install();
    if (!signals) return cli::fail(signals.error());
    auto sockets = os::take_listen_fds();
    if (!sockets) return cli::fail(sockets.error());
    std::vector<net::Listener> listeners;
    for (auto& socket : *sockets)
        if (socket.name == "dkim") listeners.push_back({.fd = std::move(socket.fd), .name = socket.name});
    if (listeners.empty())
        return cli::fail({Errc::Config, "no socket named 'dkim' was handed over; start me with systemd or gk-up", 0});

    auto config = config::Config::load(paths);
    if (!config) return cli::fail(config.error());
    const auto store = open_store(a);
    if (!store) return cli::fail(store.error());
    const std::string keys = paths.keys + "/dkim";
    // What is not there yet could not be named to the sandbox, and would stay out of reach.
    if (!os::exists(keys))
        if (const auto made = os::make_directories(keys); !made) return cli::fail(made.error());
    if (const auto closed = close_in(a.dns.root, keys); !closed) return cli::fail(closed.error());

    dkim::SigningKeys signing(*store);
    net::ServerOptions options;
    options.max_connections = static_cast<std::size_t>(config->integer("dkim.connections"));
    options.max_per_address = options.max_connections;  // our clients are our own programs
    options.stack_bytes = kStackBytes;
    options.io_timeout = kIdle;
    const std::atomic<bool>* stopping = nullptr;
    net::Server server(
        std::move(listeners), options,
        [&](net::Accepted accepted) {
            try {
                converse(*accepted.stream, signing, *stopping);
            } catch (const std::exception& error) {  // memory exhausted, or a bug: the others go on
                log::Event("session.failed", log::Level::Error).field("error", error.what());
            }
        },
        [](net::Accepted accepted, net::Refusal) {
            dkim_client::Reply reply;
            reply.text = "too many connections";
            (void)accepted.stream->write_all(dkim_client::format_reply(reply), std::chrono::seconds(1));
        });
    stopping = &server.stop_flag();
    if (const auto started = server.start(); !started) return cli::fail(started.error());
    os::notify_ready();
    log::Event("daemon.ready");

    os::run_until_stopped(*signals, [&]() -> Status {
        GK_TRY(*config, config::Config::load(paths));
        const auto most = static_cast<std::size_t>(config->integer("dkim.connections"));
        server.set_limits(most, most);
        return ok();
    });
    const bool drained = server.stop(std::chrono::seconds(config->duration_s("server.drain_timeout")));
    log::Event("daemon.stopped").field("drained", drained);
    if (!drained) ::_exit(0);  // a thread that still signs uses what a normal exit would destroy
    return 0;
}

}  // namespace gk::dkim_tool
