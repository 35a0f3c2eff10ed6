// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <climits>
#include <cstdlib>

#include "cmd/gk-frontd/connection.hpp"
#include "common/base/log.hpp"
#include "common/cli/cli.hpp"
#include "common/os/sandbox.hpp"
#include "common/tls/identities.hpp"

using namespace gk;

namespace {

std::string directory_of(const std::string& path) { return path.substr(0, std::max<std::size_t>(1, path.rfind('/'))); }

// All that is ever opened after the start: the configuration and the certificates, for a reload; and UNIX sockets.
Result<os::SandboxReport> close_in(const config::Config& config) {
    os::Sandbox sandbox;
    sandbox.sockets = os::Sockets::Unix;
    // The whole directory of gk.toml, since a changed one is a new file.
    sandbox.read_only = {directory_of(config.paths().toml), config.paths().keys + "/tls", "/etc/ssl", "/dev/urandom"};
    for (const char* key : {"tls.certificate", "tls.key"}) {
        const auto& path = config.string(key);
        if (path.empty()) continue;
        sandbox.read_only.push_back(directory_of(path));
        char resolved[PATH_MAX];  // certificate tools keep the files elsewhere and link to them
        if (::realpath(path.c_str(), resolved) != nullptr) sandbox.read_only.push_back(directory_of(resolved));
    }
    if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY"); credentials != nullptr)
        sandbox.read_only.emplace_back(credentials);
    return os::enter(sandbox);
}

int serve(const std::string& root) {
    log::open("gk-frontd");
    const auto paths = config::Paths::under(root);
    auto config = config::Config::load(paths);
    if (!config) return cli::fail(config.error());
    auto signals = os::Signals::install();
    if (!signals) return cli::fail(signals.error());
    auto listeners = os::take_listen_fds();
    if (!listeners) return cli::fail(listeners.error());
    if (listeners->empty())
        return cli::usage("gk-frontd gets its sockets from systemd or gk-up; none were handed over");
    const auto sandbox = close_in(*config);
    if (!sandbox) return cli::fail(sandbox.error());
    auto front = front::Front::create(std::move(*config), std::move(*listeners));
    if (!front) return cli::fail(front.error());
    log::Event("daemon.ready").field("confined", sandbox->describe());
    os::notify_ready("ready");
    const auto status = (*front)->run(*signals);
    if (!status) return cli::fail(status.error());
    log::Event("daemon.stopped");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::string root;
    if (const char* from = std::getenv("GK_ROOT"); from != nullptr) root = from;
    return cli::run({.name = "gk-frontd",
                     .summary = "take TLS and login for mail clients, and carry their sessions",
                     .description = "Listens on the sockets named imap, imaps and sieve. It can read no mail and "
                                    "no credentials: gk-authd judges a login, and gk-imapd or gk-sieved serves the "
                                    "session.",
                     .options = {{"--root", &root, "everything of this gk is below DIR", "DIR"}},
                     .commands = {{.name = "serve",
                                   .summary = "serve until SIGTERM; SIGHUP reads configuration and certificates again",
                                   .run = [&] { return serve(root); }}}},
                    argc, argv);
}
