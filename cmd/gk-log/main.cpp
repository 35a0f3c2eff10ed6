// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <poll.h>
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/events/story.hpp"

using namespace gk;

namespace {

struct Arguments {
    std::string root, id, event, since;
    bool json = false;
};

// "10m" ago, or a time.
Result<TimePoint> parse_since(const std::string& text) {
    if (text.empty()) return TimePoint{};
    if (const auto ago = text::to_duration_s(text)) return now() - std::chrono::seconds(*ago);
    if (const auto at = parse_rfc3339(text)) return *at;
    return fail(Errc::BadInput, fmt::format("--since wants a time like 10m, 2h or 2026-11-22T09:30:00Z, not '{}'",
                                            text::printable(text, 60)));
}

// WITH_ID: where lines of many messages stand between each other.
void print(const events::Record& record, bool json, bool with_id = false) {
    if (json) {
        fmt::print("{}\n", record.json);
        return;
    }
    const bool colour = cli::use_colour() && record.level != "info" && record.level != "debug";
    const std::string id = with_id && record.has_field("id") ? text::printable(record.field("id"), 40) + ": " : "";
    fmt::print("{}{}  {:<10} {}{}{}\n", colour ? (record.level == "error" ? "\x1b[31m" : "\x1b[33m") : "",
               format_rfc3339(record.time, true), text::printable(record.program, 40), id, events::describe(record),
               colour ? "\x1b[0m" : "");
}

// The journal is read through its own program: whoever may not read it is told so by it.
Status read_journal(const std::string& arguments, const std::function<void(std::string_view)>& take) {
    std::FILE* pipe = ::popen(("journalctl --no-pager --quiet -o json -u 'gk-*' " + arguments).c_str(), "re");
    if (pipe == nullptr) return fail_errno("cannot run journalctl");
    char* line = nullptr;
    std::size_t size = 0;
    for (ssize_t n; (n = ::getline(&line, &size, pipe)) > 0;) take(std::string_view(line, static_cast<std::size_t>(n)));
    std::free(line);
    if (::pclose(pipe) != 0) return fail(Errc::Temporary, "journalctl did not end well");
    return ok();
}

int trace(const Arguments& arguments) {
    const auto paths = config::Paths::under(arguments.root);
    const bool journal = paths.log.empty();
    const events::Lines lines = [&](const auto& take) {
        return journal ? read_journal("", take) : events::read_logs(paths.log, take);
    };
    const auto story =
        events::trace(arguments.id, lines, journal ? events::parse_journal_line : events::parse_log_line);
    if (!story) return cli::fail(story.error());
    for (const auto& record : *story) print(record, arguments.json);
    if (!story->empty()) return 0;
    if (!arguments.json) fmt::print(stderr, "gk-log: nothing is known of '{}'\n", text::printable(arguments.id, 100));
    return 1;
}

int follow(const Arguments& arguments) {
    const auto since = parse_since(arguments.since);
    if (!since) return cli::fail(since.error());
    const auto paths = config::Paths::under(arguments.root);
    const bool journal = paths.log.empty();
    const auto wanted = [&](const std::optional<events::Record>& record) {
        return record && record->time >= *since &&
               (arguments.event.empty() || events::matches_glob(record->event, arguments.event));
    };
    if (journal) {
        const auto status =
            read_journal(arguments.since.empty() ? "-f -n 0" : fmt::format("-f -n all --since @{}", to_unix_s(*since)),
                         [&](std::string_view line) {
                             const auto record = events::parse_journal_line(line);
                             if (wanted(record)) print(*record, arguments.json, true);
                             std::fflush(stdout);
                         });
        return status ? 0 : cli::fail(status.error());
    }
    // Each program has a file of its own: what they tell at the same time is put in order.
    std::vector<events::Record> told;
    const auto take = [&](std::string_view line) {
        auto record = events::parse_log_line(line);
        if (wanted(record)) told.push_back(std::move(*record));
    };
    events::Follower follower(paths.log, !arguments.since.empty());
    for (;;) {
        if (const auto status = follower.poll(take); !status) return cli::fail(status.error());
        std::stable_sort(told.begin(), told.end(),
                         [](const events::Record& a, const events::Record& b) { return a.time < b.time; });
        for (const auto& record : told) print(record, arguments.json, true);
        told.clear();
        std::fflush(stdout);
        ::poll(nullptr, 0, 200);  // files of several programs, few lines a second: cheaper than watching each
        if (std::ferror(stdout) != 0) return 0;
    }
}

}  // namespace

int main(int argc, char** argv) {
    Arguments a;
    if (const char* root = std::getenv("GK_ROOT"); root != nullptr) a.root = root;
    return cli::run(
        {.name = "gk-log",
         .summary = "tell the story of a message, or follow what happens",
         .description = "Reads the logs below ROOT/log that gk-up keeps, or the journal where gk runs under systemd.",
         .options = {{"--root", &a.root, "everything of this gk is below DIR", "DIR"},
                     {"-j,--json", &a.json, "the events as they were written, one JSON object a line"}},
         .commands =
             {{.name = "trace",
               .summary = "show one message's way through all programs, oldest first",
               .operands = {{"id", &a.id, "trace id or queue id, as the reply to DATA and the Received field have it"}},
               .run = [&] { return trace(a); }},
              {.name = "follow",
               .summary = "show events as they happen",
               .options = {{"-e,--event", &a.event, "only events whose name matches GLOB", "GLOB"},
                           {"--since", &a.since, "begin with what happened since then: 10m, 2h, or a time", "TIME"}},
               .run = [&] { return follow(a); }}},
         .examples = {"gk-log trace 01JD9V8W6B2K3M4N5P6Q", "gk-log follow --event 'queue.*' --since 1h"}},
        argc, argv);
}
