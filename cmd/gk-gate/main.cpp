// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/mailauth/open_source.hpp"
#include "common/os/file.hpp"
#include "common/os/owner.hpp"
#include "common/policy/policy.hpp"

using namespace gk;

namespace {

struct Arguments {
    std::string root, client, helo, from, to, now, duration, dns_file;
    bool json = false, dry_run = false;
    std::vector<std::string> entries;
};

struct Open {
    std::shared_ptr<const policy::Options> options;
    std::string folder;
};

Result<Open> open(const Arguments& arguments) {
    const auto paths = config::Paths::under(arguments.root);
    GK_TRY(const auto config, config::Config::load(paths));
    Open opened{nullptr, paths.spool + "/gate"};
    GK_TRY(opened.options, policy::Options::from(config, config.string("server.hostname")));
    if (os::exists(opened.folder)) GK_CHECK(os::become_owner_of(opened.folder));
    return opened;
}

Result<std::int64_t> time_of(const Arguments& arguments) {
    if (arguments.now.empty()) return to_unix_s(now());
    const auto time = parse_rfc3339(arguments.now);
    if (!time) return fail(Errc::BadInput, "'" + arguments.now + "' is not a time such as 2027-01-01T00:00:00Z");
    return to_unix_s(*time);
}

int check(const Arguments& arguments) {
    if (arguments.client.empty() || arguments.helo.empty()) return cli::usage("--client and --helo are needed");
    const auto run = [&]() -> Result<policy::Decision> {
        GK_TRY(const auto opened, open(arguments));
        GK_TRY(const auto now_s, time_of(arguments));
        GK_TRY(const auto dns, mailauth::open_source({arguments.root, arguments.dns_file, {}}));
        GK_TRY(const auto state, policy::State::open(opened.folder + "/state", opened.options->state, true));
        policy::ListFile file(opened.folder + "/lists");
        policy::Rates rates;
        const policy::Facts facts{arguments.client, arguments.helo, arguments.from, arguments.to, false, 0, now_s};
        return policy::judge(*opened.options, *file.read(), *state, rates, facts,
                             policy::ask_dns(*opened.options, arguments.client, *dns));
    };
    const auto decision = run();
    if (!decision) return cli::fail(decision.error());
    cli::Rows rows(arguments.json, {"check", "result", "score", "reason"});
    for (const auto& verdict : decision->verdicts)
        rows.add({verdict.check, verdict.result, static_cast<std::int64_t>(verdict.score), verdict.reason});
    using Action = policy::Decision::Action;
    const bool accepts = decision->action == Action::Accept;
    rows.add({std::string("gate"), std::string(policy::action_name(decision->action)),
              static_cast<std::int64_t>(decision->score),
              accepts ? std::string() : fmt::format("{} {} {}", decision->code, decision->enhanced, decision->reply)});
    return accepts ? 0 : decision->action == Action::Defer ? 75 : 1;
}

int list(const Arguments& arguments) {
    const auto opened = open(arguments);
    if (!opened) return cli::fail(opened.error());
    const auto state = policy::State::open(opened->folder + "/state", opened->options->state, true);
    if (!state) return cli::fail(state.error());
    policy::ListFile file(opened->folder + "/lists");
    std::string error;
    const auto lists = file.read(&error);
    if (!error.empty()) return cli::fail({Errc::Config, error, 0});
    cli::Rows rows(arguments.json, {"entry", "kind", "domain", "since", "until", "passed"});
    const auto time = [](std::int64_t unix_s) {
        return unix_s == 0 ? std::string() : format_rfc3339(from_unix_s(unix_s));
    };
    for (const auto& entry : lists->entries())
        rows.add({entry.entry, std::string(entry.allow ? "allow" : "block"), std::string(), std::string(),
                  time(entry.until_s), false});
    for (const auto& line : (*state)->lines())
        rows.add({line.network, line.kind, line.domain, time(line.first_s),
                  line.kind == "block" ? time(line.last_s) : std::string(), line.passed});
    return 0;
}

// WANTED as it is to stand for each entry; nothing to take them out.
int put(const Arguments& arguments, std::optional<policy::ListEntry> wanted) {
    const auto run = [&]() -> Status {
        GK_TRY(const auto opened, open(arguments));
        GK_TRY(const auto now_s, time_of(arguments));
        if (wanted && !arguments.duration.empty()) {
            const auto seconds = text::to_duration_s(arguments.duration);
            if (!seconds) return fail(Errc::BadInput, "'" + arguments.duration + "' is not a duration such as 7d");
            wanted->until_s = now_s + *seconds;
        }
        policy::ListFile file(opened.folder + "/lists");
        for (const auto& entry : arguments.entries) {
            if (arguments.dry_run) {
                GK_TRY(const auto canonical, policy::canonical_entry(entry));
                fmt::print("{} {}\n", !wanted ? "remove" : wanted->allow ? "allow" : "block", canonical);
                continue;
            }
            GK_CHECK(file.put(entry, wanted));
        }
        return ok();
    };
    const Status status = run();
    return status ? 0 : cli::fail(status.error());
}

int prune(const Arguments& arguments) {
    const auto run = [&]() -> Result<std::size_t> {
        GK_TRY(const auto opened, open(arguments));
        GK_TRY(const auto now_s, time_of(arguments));
        GK_TRY(const auto state,
               policy::State::open(opened.folder + "/state", opened.options->state, arguments.dry_run));
        return state->prune(now_s);
    };
    const auto gone = run();
    if (!gone) return cli::fail(gone.error());
    cli::Rows(arguments.json, {"pruned"}).add({static_cast<std::int64_t>(*gone)});
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments a;
    const char* const root = std::getenv("GK_ROOT");
    a.root = root != nullptr ? root : "";

    cli::Tool tool;
    tool.name = "gk-gate";
    tool.summary = "who may bring mail: lists, greylisting, and what the gate says of a client";
    tool.description =
        "Asks the code by which gk-smtpd judges clients from outside, and edits the lists that it reads. A change "
        "counts "
        "from the next recipient on.";
    tool.options = {{"--root", &a.root, "where everything of this gk lives, instead of the system's places", "DIR"},
                    {"-j,--json", &a.json, "one JSON object a line"}};
    const cli::Option now_option{"--now", &a.now, "as if it were that time", "TIME"};
    const cli::Option dry_run{"-n,--dry-run", &a.dry_run, "say what would be done, and do nothing"};
    const cli::Option duration{"--for", &a.duration, "for how long, such as 7d; without it for good", "TIME"};
    const cli::Operand entries{"entry", &a.entries, "a network, a sender, @DOMAIN, or helo:NAME"};
    tool.commands = {
        {.name = "check",
         .summary = "judge a client; exit code 75 where it would be deferred, 1 where refused",
         .options = {{"--client", &a.client, "its address", "IP"},
                     {"--helo", &a.helo, "who it says it is", "NAME"},
                     {"--from", &a.from, "the reverse-path; empty for the null one", "ADDRESS"},
                     {"--to", &a.to, "the recipient", "ADDRESS"},
                     {"--dns-file", &a.dns_file, "answers of DNS from there alone, as gk-spf(1) reads them", "FILE"},
                     now_option},
         .run = [&] { return check(a); }},
        {.name = "list",
         .summary = "print the lists, and who is greylisted, known or blocked",
         .run = [&] { return list(a); }},
        {.name = "allow",
         .summary = "let clients or senders through, whatever else is known of them",
         .options = {duration, dry_run, now_option},
         .operands = {entries},
         .run =
             [&] {
                 return put(a, policy::ListEntry{true, {}, 0});
             }},
        {.name = "block",
         .summary = "refuse clients or senders",
         .options = {duration, dry_run, now_option},
         .operands = {entries},
         .run =
             [&] {
                 return put(a, policy::ListEntry{false, {}, 0});
             }},
        {.name = "remove",
         .summary = "take entries off the lists",
         .options = {dry_run},
         .operands = {entries},
         .run = [&] { return put(a, std::nullopt); }},
        {.name = "prune",
         .summary = "forget what is over; gk-smtpd does so by itself",
         .options = {dry_run, now_option},
         .run = [&] { return prune(a); }},
    };
    tool.examples = {"gk-gate check --client 192.0.2.1 --helo mx.b.test --from ann@b.test --to bob@a.test  # and why",
                     "gk-gate block 192.0.2.0/24 @spam.example --for 7d  # for a week",
                     "gk-gate list | grep grey  # who waits, and who passed"};
    return cli::run(tool, argc, argv);
}
