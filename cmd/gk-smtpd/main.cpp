// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "common/base/log.hpp"
#include "common/cli/cli.hpp"
#include "common/smtp/daemon.hpp"

int main(int argc, char** argv) {
    using namespace gk;
    const char* environment = std::getenv("GK_ROOT");
    std::string root = environment != nullptr ? environment : "";

    cli::Tool tool;
    tool.name = "gk-smtpd";
    tool.summary = "receive mail by SMTP, from the world and from users who submit it";
    tool.description =
        "Takes its sockets from systemd or gk-up; their names choose the role: smtp (port 25), submission (587), "
        "submissions (465).";
    tool.options = {{"--root", &root, "where everything of this gk lives, instead of the system's places", "DIR"}};
    tool.commands = {
        {"serve", "serve in the foreground until SIGTERM; SIGHUP reloads configuration and certificates", {}, {}, [&] {
             log::open("gk-smtpd");
             const auto status = smtp::run_daemon(root);
             return status ? 0 : cli::fail(status.error());
         }}};
    tool.examples = {"gk-smtpd serve --root /srv/gk  # as gk-up does, with its sockets"};
    return cli::run(tool, argc, argv);
}
