// SPDX-License-Identifier: MIT
#include "common/reports/tool.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/directory/directory.hpp"
#include "common/maildir/layout.hpp"
#include "common/os/file.hpp"
#include "common/os/input.hpp"
#include "common/os/owner.hpp"
#include "common/os/sandbox.hpp"
#include "common/reports/ingest.hpp"
#include "common/reports/mailbox.hpp"
#include "common/reports/send.hpp"

namespace gk::reports {
namespace {

std::string day_of(std::int64_t day) { return day_text(day * 86400); }

Result<ParseLimits> limits_of(const config::Paths& paths) {
    ParseLimits limits;
    // A report can be looked at without a configuration.
    if (!os::exists(paths.toml)) return limits;
    GK_TRY(const auto config, config::Config::load(paths));
    limits.size = config.size("reports.max_size");
    limits.ratio = static_cast<std::uint64_t>(config.integer("reports.max_ratio"));
    limits.records = static_cast<std::uint64_t>(config.integer("reports.max_records"));
    return limits;
}

// As the owner of reports.db, closed in to it: from here on strangers' bytes are parsed.
Result<Store> open_closed_in(const config::Paths& paths) {
    GK_CHECK(os::make_directories(paths.reports, 0750));
    GK_CHECK(os::become_owner_of(paths.reports));
    os::Sandbox sandbox;
    sandbox.read_write = {paths.reports};
    GK_TRY(const auto report, os::enter(sandbox));
    (void)report;
    return Store::open(paths.reports + "/reports.db");
}

struct Tally {
    std::size_t reports = 0, refused = 0;
};

void tell(const std::string& source, const std::vector<Ingested>& all, bool json, cli::Rows& rows, Tally& tally) {
    for (const auto& one : all) {
        ++tally.reports;
        const bool refused = one.outcome == Ingested::Outcome::Refused;
        if (refused) ++tally.refused;
        const std::string outcome = refused                                       ? "refused"
                                    : one.outcome == Ingested::Outcome::Duplicate ? "duplicate"
                                                                                  : "stored";
        rows.add({source, one.name, outcome, std::string(refused ? "" : kind_name(one.kind)), one.domain,
                  one.organization, one.report_id, one.error});
        if (refused && !json)
            fmt::print(stderr, "{}{}{}: {}\n", source, one.name.empty() ? "" : ": ", text::printable(one.name),
                       text::printable(one.error, 400));
    }
}

Status ingest_all(const ToolArguments& a, cli::Rows& rows, Tally& tally) {
    const auto paths = config::Paths::under(a.dns.root);
    GK_TRY(const auto limits, limits_of(paths));
    const TimePoint when = now();
    if (!a.account.empty()) {
        GK_TRY(const auto address, directory::canonical_account(a.account));
        std::string mailbox = directory::home_of(paths, address) + "/Maildir";
        if (!a.mailbox.empty() && !text::equals_nocase(a.mailbox, "INBOX")) {
            GK_CHECK(maildir::check_name(a.mailbox));
            mailbox += "/" + maildir::directory_of(a.mailbox);
        }
        if (!os::exists(mailbox + "/cur"))
            return fail(Errc::NotFound, fmt::format("there is no mailbox '{}' of {}",
                                                    a.mailbox.empty() ? "INBOX" : a.mailbox, address));
        GK_TRY(auto reader, MailboxReader::start(mailbox, limits.size * 2));
        GK_TRY(auto store, open_closed_in(paths));
        Status looked = ok();
        const auto wanted = [&](const std::string& name) {
            if (!looked) return false;
            const auto seen = store.was_seen(mailbox, name);
            if (!seen) looked = fail(seen.error());
            return seen && !*seen;
        };
        GK_CHECK(reader.read(wanted, [&](const std::string& name, const std::string& bytes) -> Status {
            GK_TRY(const auto ingested, ingest(bytes, limits, store, when));
            tell(name, ingested, a.json, rows, tally);
            return store.put_seen(mailbox, name);
        }));
        return looked;
    }
    // Opened with the caller's rights.
    std::vector<std::pair<std::string, os::Input>> inputs;
    std::vector<std::string> files = a.files;
    if (files.empty()) files.push_back("-");
    for (const auto& file : files) {
        GK_TRY(auto input, os::Input::open(file));
        inputs.emplace_back(file, std::move(input));
    }
    GK_TRY(auto store, open_closed_in(paths));
    for (const auto& [file, input] : inputs) {
        GK_TRY(const auto ingested, ingest(input.bytes(), limits, store, when));
        tell(file, ingested, a.json, rows, tally);
        if (ingested.empty()) fmt::print(stderr, "{}: no report in it\n", file);
    }
    return ok();
}

}  // namespace

std::string day_text(std::int64_t seconds) { return format_rfc3339(from_unix_s(seconds)).substr(0, 10); }

std::string counted(std::int64_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

int ingest_command(const ToolArguments& a) {
    if (!a.account.empty() && !a.files.empty()) return cli::usage("either --account or files, not both");
    if (a.account.empty() && !a.mailbox.empty()) return cli::usage("--mailbox needs --account");
    Tally tally;
    Status done = ok();
    {
        cli::Rows rows(a.json,
                       {"source", "attachment", "outcome", "kind", "domain", "organization", "report_id", "error"});
        done = ingest_all(a, rows, tally);
    }
    if (!done) return cli::fail(done.error());
    if (tally.refused > 0) return 65;
    // A mailbox without new reports is well.
    return tally.reports == 0 && a.account.empty() ? 1 : 0;
}

int send_command(Kind kind, const ToolArguments& a) {
    ::umask(0007);  // gk-queue writes to the files that it gets from us
    const auto paths = config::Paths::under(a.dns.root);
    const auto config = config::Config::load(paths);
    if (!config) return cli::fail(config.error());
    const auto settings = SendSettings::from(*config);
    if (!settings) return cli::fail(settings.error());
    auto dns = mailauth::open_source(a.dns);
    if (!dns) return cli::fail(dns.error());
    for (const auto& path : {paths.reports, paths.spool + "/reports"})
        if (os::exists(path)) {
            if (const auto became = os::become_owner_of(path); !became) return cli::fail(became.error());
            break;
        }
    Result<SendTotals> totals;
    {
        cli::Rows rows(a.json, {"day", "domain", "destination", "state", "messages", "size", "file", "report_id",
                                "queue_id", "detail"});
        const OnLine on_line = [&](const SendLine& line) {
            const auto& o = line.outgoing;
            if (a.print) return;
            std::string state(state_name(o.state));
            if (line.dry && o.state == SendState::Sent) state = "to-send";
            rows.add({day_of(o.day), o.domain, o.destination, state, o.messages, static_cast<std::int64_t>(line.size),
                      line.file_name, o.report_id, o.queue_id, o.detail});
        };
        OnReport on_report;
        if (a.print)
            on_report = [](const SendLine&, std::string_view report) {
                std::fwrite(report.data(), 1, report.size(), stdout);
                if (!report.ends_with('\n')) std::fputc('\n', stdout);
            };
        totals = send_reports(kind, *settings, **dns, now(), a.dry_run || a.print, on_line, on_report);
    }
    if (!totals) return cli::fail(totals.error());
    if (totals->bad_lines > 0)
        fmt::print(stderr, "{} of observations could not be read\n",
                   counted(static_cast<std::int64_t>(totals->bad_lines), "line"));
    if (totals->without_report > 0)
        fmt::print(stderr, "{} are in no report: their policy domains are too many\n",
                   counted(static_cast<std::int64_t>(totals->without_report), "observation"));
    return totals->retry > 0 ? 75 : 0;
}

Result<Store> open_for_report(const ToolArguments& a) {
    const auto paths = config::Paths::under(a.dns.root);
    if (os::exists(paths.reports)) GK_CHECK(os::become_owner_of(paths.reports));
    return Store::open(paths.reports + "/reports.db", true);
}

Result<Choice> choice_of(const ToolArguments& a) {
    Choice choice;
    if (!a.domain.empty()) {
        GK_TRY(choice.domain, directory::canonical_domain(a.domain));
    }
    if (a.since.empty()) return choice;
    if (const auto date = parse_rfc3339(a.since + "T00:00:00Z")) choice.since_s = to_unix_s(*date);
    else if (const auto ago = text::to_duration_s(a.since)) choice.since_s = to_unix_s(now()) - *ago;
    else
        return fail(Errc::BadInput, fmt::format("'{}' is neither a date such as 2026-11-27 nor a time such as 30d",
                                                text::printable(a.since, 40)));
    return choice;
}

int sent_command(Kind kind, const ToolArguments& a) {
    auto store = open_for_report(a);
    if (!store) return cli::fail(store.error());
    bool any = false;
    cli::Rows rows(a.json, {"day", "domain", "destination", "state", "messages", "report_id", "queue_id", "detail"});
    const auto listed = store->list_outgoing(kind, [&](const Outgoing& o) {
        any = true;
        rows.add({day_of(o.day), o.domain, o.destination, std::string(state_name(o.state)), o.messages, o.report_id,
                  o.queue_id, o.detail});
    });
    return !listed ? cli::fail(listed.error()) : any ? 0 : 1;
}

int received_command(Kind kind, const ToolArguments& a) {
    const auto choice = choice_of(a);
    if (!choice) return cli::usage(choice.error().text);
    auto store = open_for_report(a);
    if (!store) return cli::fail(store.error());
    bool any = false;
    cli::Rows rows(a.json, {"id", "domain", "organization", "begin", "end",
                            kind == Kind::Dmarc ? "messages" : "sessions", "report_id", "received"});
    const auto listed = store->list(*choice, kind, [&](const Received& r) {
        any = true;
        rows.add({r.id, r.domain, r.organization, format_rfc3339(from_unix_s(r.begin_s)),
                  format_rfc3339(from_unix_s(r.end_s)), r.messages, r.report_id,
                  format_rfc3339(from_unix_s(r.received_s))});
    });
    return !listed ? cli::fail(listed.error()) : any ? 0 : 1;
}

}  // namespace gk::reports
