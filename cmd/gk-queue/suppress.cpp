// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <iostream>
#include <string>

#include "cmd/gk-queue/gk_queue.hpp"
#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/os/owner.hpp"
#include "common/queue/suppression.hpp"

namespace gk::queue_tool {
namespace {

Status check(const queue::Suppressed& entry) {
    for (const auto& address : {entry.account, entry.address})
        if (const auto parsed = address::parse_address(address); !parsed)
            return fail(parsed.error().in(fmt::format("'{}'", text::printable(address, 200))));
    return ok();
}

// Lines as list writes them: account, address, and if there are more the time, the count and the reason, by TAB.
Result<queue::Suppressed> parse_line(std::string_view line) {
    const auto fields = text::split(line, '\t');
    if (fields.size() < 2)
        return fail(Errc::BadInput,
                    fmt::format("'{}': a line is an account, TAB and an address", text::printable(line, 100)));
    queue::Suppressed entry{std::string(text::trim(fields[0])), std::string(text::trim(fields[1])), now(), "imported",
                            1};
    if (fields.size() > 2)
        if (const auto since = parse_rfc3339(text::trim(fields[2]))) entry.since = *since;
    if (fields.size() > 3) entry.count = text::to_uint(text::trim(fields[3])).value_or(1);
    if (fields.size() > 4) entry.reason = text::trim(fields[4]);
    GK_CHECK(check(entry));
    return entry;
}

int list(queue::Suppressions& known, const Arguments& arguments) {
    cli::Rows rows(arguments.json, {"account", "address", "since", "count", "reason"});
    const auto listed = known.list(arguments.account, [&](const queue::Suppressed& s) {
        rows.add({s.account, s.address, format_rfc3339(s.since), static_cast<std::int64_t>(s.count),
                  text::printable(s.reason, 1000)});
    });
    return listed ? 0 : cli::fail(listed.error());
}

int import(queue::Suppressions& known, std::uint64_t most) {
    int code = 0;
    for (std::string line; std::getline(std::cin, line);) {
        if (text::trim(line).empty()) continue;
        auto entry = parse_line(line);
        const Status added = entry ? known.add(*entry, most) : Status(tl::unexpected<Error>(entry.error()));
        if (!added) code = cli::fail(added.error());
    }
    return code;
}

}  // namespace

int suppress(const Arguments& arguments) {
    const auto paths = config::Paths::under(arguments.root);
    const auto config = config::Config::load(paths);
    if (!config) return cli::fail(config.error());
    const auto most = static_cast<std::uint64_t>(config->integer("queue.suppressed"));
    if (const auto owner = os::become_owner_of(paths.spool); !owner) return cli::fail(owner.error());
    auto known = queue::Suppressions::open(paths.spool);
    if (!known) return cli::fail(known.error());
    if (arguments.what == "list") return list(**known, arguments);
    if (arguments.what == "import") return import(**known, most);
    const bool adds = arguments.what == "add";
    if (!adds && arguments.what != "remove") return cli::usage("suppress list, add, remove or import");
    if (arguments.account.empty() || arguments.ids.empty())
        return cli::usage(fmt::format("suppress {} needs --account and an address", arguments.what));
    int code = 0;
    for (const auto& address : arguments.ids) {
        const queue::Suppressed entry{arguments.account, address, now(),
                                      arguments.why.empty() ? "by command" : arguments.why, 1};
        Status done = check(entry);
        if (done && adds) done = (*known)->add(entry, most);
        if (done && !adds) {
            const auto removed = (*known)->remove(arguments.account, address);
            if (!removed) done = fail(removed.error());
            else if (!*removed)
                done = fail(Errc::NotFound, fmt::format("'{}' is not suppressed for {}", address, arguments.account));
        }
        if (!done) code = cli::fail(done.error());
    }
    return code;
}

}  // namespace gk::queue_tool
