// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <unistd.h>

#include "cmd/gk-queue/gk_queue.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/submit/submit.hpp"
#include "common/submit/when.hpp"

namespace gk::queue_tool {
namespace {

Result<TimePoint> moment_of(const std::string& text) {
    GK_TRY(const auto when, submit::parse_when(text, now()));
    if (!when.note.empty()) fmt::print(stderr, "gk-queue: {}\n", when.note);
    return when.at;
}

}  // namespace

int send(const Arguments& arguments) {
    submit::Request request;
    request.root = arguments.root;
    request.dot_is_text = true;
    request.recipients = arguments.to;
    request.recipients_from_header = arguments.to.empty();
    if (!arguments.from.empty()) request.sender = arguments.from == "<>" ? std::string() : arguments.from;
    if (!arguments.at.empty()) {
        const auto at = moment_of(arguments.at);
        if (!at) return cli::fail(at.error());
        request.hold_until = *at;
    }
    const auto sent = submit::send(request, STDIN_FILENO);
    if (!sent) {
        (void)cli::fail({Errc::Temporary, sent.error().text});
        return sent.error().code;
    }
    if (request.hold_until) fmt::print("{} {}\n", *sent, format_rfc3339(*request.hold_until));
    else fmt::print("{}\n", *sent);
    return 0;
}

int reschedule(const Arguments& arguments) {
    if (arguments.at.empty()) return cli::usage("--at TIME says when");
    const auto at = moment_of(arguments.at);
    if (!at) return cli::fail(at.error());
    const auto paths = config::Paths::under(arguments.root);
    const auto access = queue::open_access(paths.spool, paths.run + "/queue.sock");
    if (!access) return cli::fail(access.error());
    int code = 0;
    for (const auto& id : ids_of(arguments)) {
        if (const auto done = (*access)->schedule(id, *at); !done) code = cli::fail(done.error());
        else fmt::print("{} {}\n", id, format_rfc3339(*at));
    }
    return code;
}

}  // namespace gk::queue_tool
