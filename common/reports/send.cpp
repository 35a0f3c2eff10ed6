// SPDX-License-Identifier: MIT
#include "common/reports/send.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <cerrno>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/mailauth/dmarc/discovery.hpp"
#include "common/mailauth/domain.hpp"
#include "common/os/file.hpp"
#include "common/reports/aggregate.hpp"
#include "common/reports/aggregate_xml.hpp"
#include "common/reports/compose.hpp"
#include "common/reports/destinations.hpp"
#include "common/reports/https_post.hpp"
#include "common/reports/outbox.hpp"
#include "common/reports/tls_json.hpp"

namespace gk::reports {
namespace {

constexpr std::int64_t kDay = 86400;
constexpr std::string_view kAside = ".sent";  // a day whose reports are all done
constexpr std::string_view kLate = "the run's time was over";

// One report, ready to go wherever it is wanted.
struct Report {
    ReportName name;
    std::string summary;  // for people
    std::string gzip;
};

class Sending {
public:
    Sending(Kind kind, const SendSettings& settings, mailauth::DnsSource& dns, TimePoint now, bool dry,
            const OnLine& on_line, const OnReport& on_report)
        : kind_(kind),
          settings_(settings),
          dns_(dns),
          now_(now),
          dry_(dry),
          on_line_(on_line),
          on_report_(on_report),
          outbox_(settings.directory + "/outbox", settings.spool) {}

    Result<SendTotals> run() {
        const std::int64_t today = to_unix_s(now_) / kDay;
        if (settings_.sender.empty() || !(kind_ == Kind::Dmarc ? settings_.dmarc : settings_.tls)) {
            // What was counted before reports were switched off is kept no longer than it would be else.
            if (!dry_) GK_CHECK(forget_observations(today));
            if (!settings_.sender.empty()) return totals_;
            return fail(Errc::Config, "no reports are sent: set reports.sender to the address they come from");
        }
        GK_TRY(const auto days, day_files(settings_.directory, kind_));
        if (dry_) {
            // A database that is not there yet knows of nothing.
            if (os::exists(settings_.database)) {
                GK_TRY(auto store, Store::open(settings_.database, true));
                store_.emplace(std::move(store));
            }
        } else {
            GK_CHECK(lock());
            GK_TRY(auto store, Store::open(settings_.database));
            store_.emplace(std::move(store));
            GK_CHECK(recover());
        }
        Status done;
        for (const auto& file : days)
            if (file.day < today)
                if (auto sent = send_day(file, today); !sent && done) done = std::move(sent);
        // A day that cannot be read holds up no other, and does not stay for ever.
        if (!dry_) GK_CHECK(forget(today));
        GK_CHECK(done);
        return totals_;
    }

private:
    Status lock() {
        const std::string path = settings_.database + ".sending";
        GK_CHECK(os::make_directories(path.substr(0, path.rfind('/')), 0750));
        lock_ = os::Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!lock_) return fail_errno(fmt::format("cannot open '{}'", path));
        if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return ok();
        if (errno == EWOULDBLOCK) return fail(Errc::Temporary, "reports are being sent already");
        return fail_errno(fmt::format("cannot lock '{}'", path));
    }

    // What an earlier run left between two steps.
    Status recover() {
        std::vector<Outgoing> staged;
        GK_CHECK(store_->list_outgoing(std::nullopt, [&](const Outgoing& o) {
            if (o.state == SendState::Staged) staged.push_back(o);
        }));
        for (auto& outgoing : staged) GK_CHECK(release(outgoing));
        return outbox_.tidy([](const std::string&) { return false; });
    }

    Status release(Outgoing& outgoing) {
        if (outbox_.has(outgoing.queue_id)) GK_CHECK(outbox_.release(outgoing.queue_id));
        return put(outgoing, SendState::Sent, "");
    }

    Status put(Outgoing& outgoing, SendState state, std::string detail) {
        outgoing.state = state;
        outgoing.detail = std::move(detail);
        outgoing.changed_s = to_unix_s(now_);
        return dry_ ? ok() : store_->put_outgoing(outgoing);
    }

    Status send_day(const DayFile& file, std::int64_t today) {
        const bool last_chance = (today - file.day) * kDay > settings_.keep_observations_s;
        all_final_ = true;
        GK_CHECK(kind_ == Kind::Dmarc ? send_dmarc(file, last_chance) : send_tls(file, last_chance));
        if (dry_ || !all_final_) return ok();
        return os::rename(file.path, file.path + std::string(kAside));
    }

    bool is_late() const { return std::chrono::steady_clock::now() >= end_; }

    // Others get no more than their share of time for what comes now.
    void begin_domain() {
        domain_end_ = std::min(std::chrono::steady_clock::now() + settings_.domain_time, end_);
        dns_.set_deadline(domain_end_);
    }

    // Domains whose DNS hangs may use up the time of a run; they must not stand before the same others each time.
    template <class Groups>
    static std::vector<std::string> in_any_order(const Groups& groups) {
        std::vector<std::string> domains;
        for (const auto& [domain, group] : groups) domains.push_back(domain);
        for (std::size_t i = domains.size(); i > 1; --i) std::swap(domains[i - 1], domains[random_u64() % i]);
        return domains;
    }

    ReportName name_of(const std::string& domain, std::int64_t day) const {
        ReportName name;
        name.kind = kind_;
        name.submitter = settings_.sender.substr(settings_.sender.rfind('@') + 1);
        name.domain = domain;
        name.begin_s = day * kDay;
        name.end_s = name.begin_s + kDay - 1;
        name.report_id = report_id_of(kind_, settings_.sender, domain, day);
        return name;
    }

    // What is left to the next run is not made now.
    Report name_only(const std::string& domain, std::int64_t day) {
        plain_.clear();
        return {name_of(domain, day), {}, {}};
    }

    Status send_dmarc(const DayFile& file, bool last_chance) {
        DmarcDay day(settings_.rows);
        GK_TRY(const auto read, read_dmarc(file.path, [&](DmarcObservation observation) {
                   day.add(std::move(observation));
                   return ok();
               }));
        totals_.bad_lines += read.bad;
        totals_.without_report += day.without_report();
        auto groups = day.take();
        for (const auto& domain : in_any_order(groups)) {
            auto& group = groups[domain];
            if (mailauth::dns_domain(domain).empty() && domain.find('.') != std::string::npos) continue;
            begin_domain();
            std::vector<Destination> wanted = parse_rua(text::join(group.rua, ","));
            std::optional<Report> report;
            for (const auto& destination : wanted) {
                GK_TRY(auto outgoing, begin(file.day, domain, destination, group.messages));
                if (!outgoing) continue;
                if (!report) report = is_late() ? name_only(domain, file.day) : build(domain, file.day, group);
                GK_CHECK(send_dmarc_to(*outgoing, group, destination, *report, last_chance));
            }
        }
        return ok();
    }

    Report build(const std::string& domain, std::int64_t day, DmarcDay::Group& group) {
        Report report;
        report.name = name_of(domain, day);
        AggregateHead head = group.policy;
        head.organization = settings_.organization;
        head.email = settings_.contact;
        head.report_id = report.name.report_id + "@" + report.name.submitter;
        head.begin_s = report.name.begin_s;
        head.end_s = report.name.end_s;
        head.generator = "gk " GK_VERSION;
        Gzip gzip;
        plain_.clear();
        const auto write = [&](const std::string& piece) {
            gzip.write(piece);
            if (on_report_) plain_ += piece;
        };
        write(format_begin(head));
        for (const auto& record : group.records) write(format_record(record));
        write(format_end());
        report.gzip = gzip.finish();
        report.summary = fmt::format(
            "This is a DMARC aggregate report (RFC 9990) from {}\r\nabout {} messages that used the domain "
            "{}\r\non {} (UTC).\r\n",
            text::ascii_only(settings_.organization), group.messages, domain,
            format_rfc3339(from_unix_s(head.begin_s)).substr(0, 10));
        return report;
    }

    Status send_dmarc_to(Outgoing& outgoing, const DmarcDay::Group& group, const Destination& destination,
                         const Report& report, bool last_chance) {
        if (is_late()) return later(outgoing, report, std::string(kLate), last_chance);
        if (destination.scheme != Destination::Scheme::Mailto)
            return end(outgoing, report, SendState::Skipped, "DMARC reports go by mail only");
        const std::string organization = organization_of(group.policy.domain, group.organizational_domain);
        ConsentAnswer answer = organization.empty() ? ConsentAnswer{Consent::Unknown, std::nullopt,
                                                                    "no answer from DNS about the organization"}
                                                    : consent_of(group.policy.domain, organization, destination);
        if (answer.consent == Consent::Refused) return end(outgoing, report, SendState::Skipped, answer.why);
        if (answer.consent == Consent::Unknown) return later(outgoing, report, answer.why, last_chance);
        Destination to = answer.instead.value_or(destination);
        if (answer.instead && answer.instead->limit == 0) to.limit = destination.limit;
        return mail(outgoing, to, report);
    }

    // Of a policy domain, by today's DNS; what was observed where that is all there is.
    std::string organization_of(const std::string& domain, const std::string& observed) {
        const auto known = organizations_.find(domain);
        if (known != organizations_.end()) return known->second;
        mailauth::dmarc::Records records(dns_, 16);
        const auto walk = mailauth::dmarc::walk(domain, records, nullptr);
        return organizations_[domain] = walk.organization.empty() ? observed : walk.organization;
    }

    // RFC 9990, 4: the same organization has consented by publishing. A host whose own walk leads elsewhere has not,
    // even below the domain.
    ConsentAnswer consent_of(const std::string& domain, const std::string& organization,
                             const Destination& destination) {
        if (destination.host == domain) return {Consent::Given, std::nullopt, ""};
        if (mailauth::is_at_or_below(destination.host, organization)) {
            const std::string own = organization_of(destination.host, "");
            if (own.empty())
                return {Consent::Unknown, std::nullopt, fmt::format("no answer from DNS about {}", destination.host)};
            if (own == organization) return {Consent::Given, std::nullopt, ""};
        }
        return ask_consent(dns_, domain, destination);
    }

    Status send_tls(const DayFile& file, bool last_chance) {
        TlsDay day(settings_.rows);
        GK_TRY(const auto read, read_tls(file.path, [&](TlsObservation observation) {
                   day.add(std::move(observation));
                   return ok();
               }));
        totals_.bad_lines += read.bad;
        totals_.without_report += day.without_report();
        auto groups = day.take();
        for (const auto& domain : in_any_order(groups)) {
            auto& group = groups[domain];
            if (mailauth::dns_domain(domain).empty()) continue;
            begin_domain();
            auto wanted = is_late() ? TlsWanted{true, {}, std::string(kLate)} : find_tls_destinations(dns_, domain);
            // What was known when the sessions were made is better than nothing.
            if (wanted.unknown && !group.rua.empty()) {
                wanted.destinations = parse_rua(text::join(group.rua, ","));
                wanted.unknown = false;
            }
            if (wanted.unknown && !last_chance) {
                all_final_ = false;
                ++totals_.retry;
                SendLine line;
                line.outgoing = {kind_, file.day, domain, "", "", "", SendState::Retry, wanted.why};
                line.dry = dry_;
                on_line_(line);
                continue;
            }
            std::optional<Report> report;
            for (const auto& destination : wanted.destinations) {
                GK_TRY(auto outgoing, begin(file.day, domain, destination, group.sessions));
                if (!outgoing) continue;
                if (!report) report = is_late() ? name_only(domain, file.day) : build(domain, file.day, group);
                if (is_late()) GK_CHECK(later(*outgoing, *report, std::string(kLate), last_chance));
                else if (destination.scheme == Destination::Scheme::Mailto)
                    GK_CHECK(mail(*outgoing, destination, *report));
                else GK_CHECK(post(*outgoing, destination, *report, last_chance));
            }
        }
        return ok();
    }

    Report build(const std::string& domain, std::int64_t day, TlsDay::Group& group) {
        Report report;
        report.name = name_of(domain, day);
        TlsReport tls;
        tls.organization = settings_.organization;
        tls.contact = settings_.contact;
        tls.report_id = report.name.report_id + "@" + report.name.submitter;
        tls.begin_s = report.name.begin_s;
        tls.end_s = report.name.end_s;
        tls.policies = group.policies;
        plain_ = format_tls_report(tls);
        Gzip gzip;
        gzip.write(plain_);
        report.gzip = gzip.finish();
        std::uint64_t failures = 0;
        for (const auto& policy : group.policies) failures += policy.failures;
        report.summary = fmt::format(
            "This is an SMTP TLS report (RFC 8460) from {}\r\nabout {} sessions with hosts of {}, {} of "
            "which failed,\r\non {} (UTC).\r\n",
            text::ascii_only(settings_.organization), group.sessions, domain, failures,
            format_rfc3339(from_unix_s(tls.begin_s)).substr(0, 10));
        return report;
    }

    // The row of one report to one address; nothing where that is done.
    Result<std::optional<Outgoing>> begin(std::int64_t day, const std::string& domain, const Destination& destination,
                                          std::uint64_t messages) {
        if (store_) {
            GK_TRY(auto known, store_->find_outgoing(kind_, day, domain, destination.address));
            if (known && is_final(known->state)) return std::optional<Outgoing>();
            if (known) return known;
        }
        Outgoing fresh;
        fresh.kind = kind_;
        fresh.day = day;
        fresh.domain = domain;
        fresh.destination = destination.address;
        fresh.messages = static_cast<std::int64_t>(messages);
        return std::optional<Outgoing>(std::move(fresh));
    }

    Status end(Outgoing& outgoing, const Report& report, SendState state, std::string detail, std::size_t size = 0) {
        outgoing.report_id = report.name.report_id + "@" + report.name.submitter;
        GK_CHECK(put(outgoing, state, std::move(detail)));
        if (state == SendState::Sent) ++totals_.sent;
        else if (is_final(state)) ++totals_.skipped;
        else ++totals_.retry;
        all_final_ = all_final_ && is_final(state);
        const SendLine line{outgoing, report.name.file_name(), size, dry_};
        on_line_(line);
        if (on_report_) on_report_(line, plain_);
        return ok();
    }

    Status later(Outgoing& outgoing, const Report& report, const std::string& why, bool last_chance) {
        return end(outgoing, report, last_chance ? SendState::GaveUp : SendState::Retry, why);
    }

    Status mail(Outgoing& outgoing, const Destination& to, const Report& report) {
        const std::string message = compose_report(report.name, {settings_.sender, settings_.organization}, to.address,
                                                   report.summary, report.gzip, now_);
        const std::uint64_t limit = to.limit == 0 ? settings_.max_message : std::min(to.limit, settings_.max_message);
        if (message.size() > limit)
            return end(outgoing, report, SendState::Skipped,
                       fmt::format("the message has {} octets; {} are accepted", message.size(), limit),
                       message.size());
        if (!dry_) {
            outgoing.queue_id = new_id();
            outgoing.report_id = report.name.report_id + "@" + report.name.submitter;
            GK_CHECK(put(outgoing, SendState::Composing, ""));
            GK_CHECK(outbox_.stage(outgoing.queue_id, settings_.sender, to.address, message));
            GK_CHECK(put(outgoing, SendState::Staged, ""));
            GK_CHECK(outbox_.release(outgoing.queue_id));
        }
        return end(outgoing, report, SendState::Sent, to.address == outgoing.destination ? "" : "to " + to.address,
                   message.size());
    }

    Status post(Outgoing& outgoing, const Destination& to, const Report& report, bool last_chance) {
        if (dry_) return end(outgoing, report, SendState::Sent, "", report.gzip.size());
        const auto left =
            std::chrono::duration_cast<std::chrono::seconds>(domain_end_ - std::chrono::steady_clock::now()).count();
        const auto posted = https_post(to.address, report.gzip, dns_,
                                       {.media_type = "application/tlsrpt+gzip",
                                        .private_addresses = settings_.https_private,
                                        .timeout_s = std::clamp<std::int64_t>(left, 1, 60)});
        if (posted) return end(outgoing, report, SendState::Sent, "", report.gzip.size());
        if (posted.error().code == Errc::Permanent)
            return end(outgoing, report, SendState::Skipped, posted.error().text, report.gzip.size());
        return later(outgoing, report, posted.error().text, last_chance);
    }

    // What has been kept for long enough.
    Status forget(std::int64_t today) {
        GK_CHECK(store_->remove_outgoing_before(today - settings_.keep_s / kDay));
        GK_TRY(const std::int64_t removed, store_->remove_received_before(to_unix_s(now_) - settings_.keep_s));
        (void)removed;
        return forget_observations(today);
    }

    // Those of our kind alone: the other's last chance is not over before its own run.
    Status forget_observations(std::int64_t today) {
        const auto entries = os::list_directory(settings_.directory);
        if (!entries) return ok();
        Status done;
        // Names sort as their days do.
        const std::string oldest = file_name(kind_, today - settings_.keep_observations_s / kDay);
        for (const auto& entry : *entries)
            if (entry.name.starts_with(oldest.substr(0, oldest.find('-') + 1)) && entry.name < oldest &&
                (entry.name.ends_with(".jsonl") || entry.name.ends_with(".jsonl" + std::string(kAside))))
                if (auto gone = os::unlink(settings_.directory + "/" + entry.name); !gone && done)
                    done = std::move(gone);
        return done;
    }

    const Kind kind_;
    const SendSettings& settings_;
    mailauth::DnsSource& dns_;
    const TimePoint now_;
    const std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + settings_.run_time;
    std::chrono::steady_clock::time_point domain_end_ = end_;
    const bool dry_;
    const OnLine& on_line_;
    const OnReport& on_report_;
    const Outbox outbox_;
    os::Fd lock_;
    std::optional<Store> store_;
    std::map<std::string, std::string> organizations_;
    std::string plain_;
    bool all_final_ = true;
    SendTotals totals_;
};

}  // namespace

Result<SendSettings> SendSettings::from(const config::Config& config) {
    SendSettings out;
    out.sender = config.string("reports.sender");
    const std::string hostname = config.string("server.hostname");
    if (!out.sender.empty()) {
        const auto sender = parse_destination("mailto:" + out.sender);
        if (!sender)
            return fail(Errc::Config, fmt::format("reports.sender ({}): '{}' is no address",
                                                  config.origin("reports.sender"), text::printable(out.sender, 100)));
        out.sender = sender->address;
    }
    out.contact = config.string("reports.contact").empty() ? out.sender : config.string("reports.contact");
    out.organization = config.string("reports.organization");
    if (out.organization.empty()) out.organization = hostname;
    if (out.organization.empty() && !out.sender.empty())
        out.organization = out.sender.substr(out.sender.rfind('@') + 1);
    out.dmarc = config.boolean("reports.dmarc");
    out.tls = config.boolean("reports.tls");
    out.max_message = config.size("reports.max_message");
    out.rows = static_cast<std::size_t>(config.integer("reports.rows"));
    out.keep_observations_s = config.duration_s("reports.keep_observations");
    out.keep_s = config.duration_s("reports.keep");
    out.https_private = config.boolean("reports.https_private");
    out.spool = config.paths().spool;
    out.directory = config.paths().spool + "/reports";
    out.database = config.paths().reports + "/reports.db";
    return out;
}

Result<SendTotals> send_reports(Kind kind, const SendSettings& settings, mailauth::DnsSource& dns, TimePoint now,
                                bool dry, const OnLine& on_line, const OnReport& on_report) {
    Sending sending(kind, settings, dns, now, dry, on_line, on_report);
    return sending.run();
}

}  // namespace gk::reports
