// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cstdio>

#include "cmd/gk-dns-check/arguments.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/dnscheck/update.hpp"
#include "common/os/file.hpp"

namespace gk::dns_check_tool {

using namespace dnscheck;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxShown = 4000;
constexpr std::size_t kMaxKeyFile = 64 * 1024;

// The ways to change DNS, as chosen and found.
struct Way {
    std::string server;  // of the zone's primary where empty
    unsigned port = 53;
    std::optional<UpdateKey> key;
    std::string hooks;  // not empty: programs in this directory, in place of RFC 2136
};

// A fresh view of DNS, without what an earlier resolver remembers.
template <class Work>
Status with_dns(const Site& site, Work work) {
    GK_TRY(const auto resolver, dns::Resolver::create(site.resolver));
    NetworkSource source(*resolver);
    Lookups dns(source);
    work(dns);
    return ok();
}

Result<Way> choose_way(const Arguments& a, const Site& site) {
    Way way;
    if (!a.key_file.empty()) {
        GK_TRY(const std::string text, os::read_file(a.key_file, kMaxKeyFile));
        auto key = parse_update_key(text);
        if (!key) return fail(key.error().in(a.key_file));
        way.key = std::move(*key);
    }
    if (!a.update_server.empty()) {
        GK_TRY(const auto server, parse_server(a.update_server));
        way.server = server.first;
        way.port = server.second;
    }
    const bool by_update = way.key || !way.server.empty();
    if (by_update && !a.hooks.empty()) return fail(Errc::BadInput, "--hooks goes without --key and --update-server");
    if (by_update) return way;
    way.hooks = a.hooks.empty() ? site.hooks : a.hooks;
    if (hooks_in(way.hooks).empty())
        return fail(Errc::NotFound, fmt::format("no way to change DNS: give the key of a dynamic update with --key, or "
                                                "put a program into '{}'",
                                                way.hooks));
    return way;
}

void show(const std::vector<ZoneChanges>& zones, bool json) {
    for (const auto& zone : zones) {
        if (!json) fmt::print("{}\n", zone.zone.empty() ? "no zone found for these:" : "zone " + zone.zone);
        for (const auto& change : zone.changes) {
            if (json) fmt::print("{}\n", change_json(change, zone.zone));
            else
                fmt::print("  {} {}\n", change.op == Change::Op::Add ? '+' : '-',
                           text::printable(zone_line(change.record), kMaxShown));
        }
    }
    std::fflush(stdout);
}

// Where the zone's updates go, while a resolver is at hand.
std::vector<std::string> servers_of(const std::vector<ZoneChanges>& zones, const Way& way, Lookups& dns) {
    std::vector<std::string> out;
    for (const auto& zone : zones) {
        std::string server = way.server;
        if (server.empty() && way.hooks.empty() && !zone.primary.empty())
            for (const auto type : {dns::Type::A, dns::Type::Aaaa})
                if (const auto& ips = dns.data(zone.primary, type); server.empty() && !ips.empty()) server = ips[0];
        out.push_back(server);
    }
    return out;
}

Status send(const ZoneChanges& zone, const std::string& server, const Way& way) {
    if (zone.zone.empty())
        return fail(Errc::NotFound,
                    fmt::format("no zone is found for {}", text::printable(zone.changes[0].record.name, 200)));
    if (!way.hooks.empty()) return send_by_hooks(way.hooks, zone);
    if (server.empty())
        return fail(Errc::NotFound, fmt::format("zone {}: its primary name server '{}' has no address: say which with "
                                                "--update-server",
                                                zone.zone, text::printable(zone.primary, 100)));
    return send_update(zone, server, way.port, way.key ? &*way.key : nullptr);
}

// Until DNS shows all of them, or the time is over; what is still not seen.
Result<std::vector<Change>> watch(const Site& site, std::vector<Change> changes, std::chrono::seconds time) {
    const auto deadline = Clock::now() + time;
    int pause_ms = 50;
    const std::size_t all = changes.size();
    cli::Progress progress("records seen", all);
    for (;;) {
        const std::size_t before = changes.size();
        GK_CHECK(with_dns(site, [&](Lookups& dns) { changes = not_seen(changes, dns); }));
        progress.advance(before - changes.size());
        if (changes.empty() || Clock::now() >= deadline) return changes;
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        ::poll(nullptr, 0, static_cast<int>(std::clamp<std::int64_t>(left, 1, pause_ms)));
        pause_ms = std::min(pause_ms * 2, 3000);
    }
}

}  // namespace

int fix(const Arguments& a, const Site& site, const Report& report) {
    const auto wait_s = text::to_duration_s(a.wait);
    if (!wait_s || *wait_s < 0) return cli::usage(fmt::format("'{}' is no time such as 1m", a.wait));
    const auto changes = report.changes();
    const bool wrong = std::any_of(report.findings.begin(), report.findings.end(), [](const Finding& f) {
        return f.changes.empty() && f.kind->severity >= Severity::Warning;
    });
    const int rest = wrong ? 1 : report.unknown.empty() ? 0 : 75;
    if (wrong)
        for (const auto& finding : report.findings)
            if (finding.changes.empty() && finding.kind->severity >= Severity::Warning)
                fmt::print(stderr, "gk-dns-check: no record mends {} ({}): {}\n", finding.kind->id, finding.name,
                           finding.should);
    if (changes.empty()) {
        fmt::print(stderr, "gk-dns-check: nothing to send\n");
        return rest;
    }
    // A way is found before anybody is asked; a dry run needs none.
    const auto way = choose_way(a, site);
    if (!way && !a.dry_run) return cli::fail(way.error());
    std::vector<ZoneChanges> zones;
    std::vector<std::string> servers;
    // The resolver ends before a program is started: its threads do not outlive a fork.
    if (const auto status = with_dns(site,
                                     [&](Lookups& dns) {
                                         zones = by_zone(changes, dns);
                                         if (way) servers = servers_of(zones, *way, dns);
                                     });
        !status)
        return cli::fail(status.error());
    show(zones, a.json);
    if (a.dry_run) return exit_code(report);
    if (!cli::confirm(fmt::format("send {} changes to {} zones?", changes.size(), zones.size()), a.yes)) {
        fmt::print(stderr, "gk-dns-check: nothing was sent{}\n", a.yes ? "" : "; --yes sends without asking");
        return 1;
    }
    std::vector<Change> sent;
    bool failed = false;
    for (std::size_t i = 0; i < zones.size(); ++i) {
        if (const auto status = send(zones[i], servers[i], *way); !status) {
            failed = true;
            (void)cli::fail(status.error());
            continue;
        }
        sent.insert(sent.end(), zones[i].changes.begin(), zones[i].changes.end());
    }
    const auto missing = watch(site, sent, std::chrono::seconds(*wait_s));
    if (!missing) return cli::fail(missing.error());
    for (const auto& change : *missing)
        fmt::print(stderr, "gk-dns-check: sent, but not seen yet: {} {}\n", op_name(change.op),
                   text::printable(zone_line(change.record), 300));
    if (missing->empty() && !failed) fmt::print(stderr, "gk-dns-check: {} changes are seen\n", sent.size());
    return failed || !missing->empty() ? 75 : rest;
}

}  // namespace gk::dns_check_tool
