// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <boost/json.hpp>

#include "cmd/gk-queue/gk_queue.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/queue/json.hpp"

namespace gk::queue_tool {

int bounces(const Arguments& arguments) {
    const auto paths = config::Paths::under(arguments.root);
    const auto access = queue::open_access(paths.spool, paths.run + "/queue.sock");
    if (!access) return cli::fail(access.error());
    cli::Rows rows(false, {"time", "id", "account", "recipient", "action", "status", "text"});
    const auto listed = (*access)->bounces([&](const queue::Bounce& b) {
        if (arguments.json) {
            fmt::print("{}\n", boost::json::serialize(queue::to_json(b)));
            return;
        }
        rows.add({format_rfc3339(b.at), b.queue, text::printable(b.account, 100), text::printable(b.recipient, 100),
                  text::printable(b.action, 20), text::printable(b.status, 20), text::printable(b.text, 120)});
    });
    return listed ? 0 : cli::fail(listed.error());
}

}  // namespace gk::queue_tool
