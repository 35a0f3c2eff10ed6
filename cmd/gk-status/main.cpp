// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <cstdlib>

#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/up/status.hpp"

using namespace gk;

namespace {

int show(const std::string& root, bool json) {
    const auto paths = config::Paths::under(root);
    auto report = up::read_status(paths);
    if (!report) return cli::fail(report.error());
    if (report->manager.empty()) {
        if (!json) fmt::print("{}\n", root.empty() ? "gk does not run" : fmt::format("no gk-up runs in '{}'", root));
        return 1;
    }
    cli::Rows rows(json, {"name", "state", "pid", "since", "restarts", "status", "last_end", "manager"});
    bool all_ready = true;
    for (const auto& daemon : report->daemons) {
        rows.add({daemon.name, daemon.state, daemon.pid, daemon.since, daemon.restarts, daemon.status, daemon.last_end,
                  report->manager});
        all_ready = all_ready && daemon.ready;
    }
    return all_ready ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    std::string root;
    bool json = false;
    if (const char* from = std::getenv("GK_ROOT"); from != nullptr) root = from;
    return cli::run(
        {.name = "gk-status",
         .summary = "say which of gk's daemons run, and since when",
         .description = "Asks gk-up where it runs, else systemd. Exits 0 when all are ready, 1 when not.",
         .options = {{"--root", &root, "everything of this gk is below DIR", "DIR"},
                     {"-j,--json", &json, "one JSON object a daemon"}},
         .examples = {"gk-status --root /srv/mail", "gk-status --json | jq -r 'select(.state != \"ready\").name'"},
         .run = [&] { return show(root, json); }},
        argc, argv);
}
