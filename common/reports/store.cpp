// SPDX-License-Identifier: MIT
#include "common/reports/store.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::reports {
namespace {

namespace json = boost::json;

const std::vector<std::string> kSchema = {
    "CREATE TABLE report(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, reporter TEXT NOT NULL, report_id TEXT NOT NULL,"
    " organization TEXT NOT NULL, contact TEXT NOT NULL, domain TEXT NOT NULL, begin_s INTEGER NOT NULL,"
    " end_s INTEGER NOT NULL, received_s INTEGER NOT NULL, records INTEGER NOT NULL, messages INTEGER NOT NULL,"
    " policy TEXT NOT NULL);"
    "CREATE UNIQUE INDEX report_once ON report(kind, reporter, report_id);"
    "CREATE INDEX report_domain ON report(domain, end_s);"
    "CREATE INDEX report_end ON report(end_s);"
    "CREATE TABLE dmarc_record(report INTEGER NOT NULL REFERENCES report(id) ON DELETE CASCADE, source_ip TEXT NOT "
    "NULL,"
    " count INTEGER NOT NULL, disposition TEXT NOT NULL, dkim INTEGER NOT NULL, spf INTEGER NOT NULL,"
    " header_from TEXT NOT NULL, envelope_from TEXT NOT NULL, envelope_to TEXT NOT NULL, reasons TEXT NOT NULL,"
    " names TEXT NOT NULL, details TEXT NOT NULL);"
    "CREATE INDEX dmarc_record_report ON dmarc_record(report);"
    "CREATE TABLE tls_policy(report INTEGER NOT NULL REFERENCES report(id) ON DELETE CASCADE, number INTEGER NOT NULL,"
    " type TEXT NOT NULL, domain TEXT NOT NULL, strings TEXT NOT NULL, mx_hosts TEXT NOT NULL,"
    " successes INTEGER NOT NULL, failures INTEGER NOT NULL, PRIMARY KEY(report, number)) WITHOUT ROWID;"
    "CREATE TABLE tls_failure(report INTEGER NOT NULL REFERENCES report(id) ON DELETE CASCADE, number INTEGER NOT NULL,"
    " result TEXT NOT NULL, sending_ip TEXT NOT NULL, receiving_mx TEXT NOT NULL, receiving_helo TEXT NOT NULL,"
    " receiving_ip TEXT NOT NULL, count INTEGER NOT NULL, additional TEXT NOT NULL, reason_code TEXT NOT NULL);"
    "CREATE INDEX tls_failure_report ON tls_failure(report, number);"
    "CREATE TABLE seen(mailbox TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY(mailbox, name)) WITHOUT ROWID;"
    "CREATE TABLE outgoing(kind TEXT NOT NULL, day INTEGER NOT NULL, domain TEXT NOT NULL, destination TEXT NOT NULL,"
    " report_id TEXT NOT NULL, queue_id TEXT NOT NULL, state TEXT NOT NULL, detail TEXT NOT NULL,"
    " changed_s INTEGER NOT NULL, messages INTEGER NOT NULL,"
    " PRIMARY KEY(kind, day, domain, destination)) WITHOUT ROWID;"};

constexpr std::string_view kStates[] = {"composing", "staged", "retry", "sent", "skipped", "gave-up"};

std::string names_of(const AggregateRecord& record) {
    std::vector<std::string> names;
    const auto add = [&](std::string name) {
        if (names.size() < 6 && std::find(names.begin(), names.end(), name) == names.end())
            names.push_back(std::move(name));
    };
    for (const auto& dkim : record.dkim) add(dkim.domain + (dkim.selector.empty() ? "" : "/" + dkim.selector));
    for (const auto& spf : record.spf)
        if (!spf.domain.empty()) add(spf.domain);
    return text::join(names, ", ");
}

std::string reasons_of(const AggregateRecord& record) {
    json::array out;
    for (const auto& reason : record.reasons) out.push_back({{"type", reason.type}, {"comment", reason.comment}});
    return out.empty() ? "" : json::serialize(out);
}

std::string details_of(const AggregateRecord& record) {
    json::object out;
    json::array& dkim = out["dkim"].emplace_array();
    for (const auto& one : record.dkim)
        dkim.push_back({{"domain", one.domain}, {"selector", one.selector}, {"result", one.result}});
    json::array& spf = out["spf"].emplace_array();
    for (const auto& one : record.spf)
        spf.push_back({{"domain", one.domain}, {"scope", one.scope}, {"result", one.result}});
    return json::serialize(out);
}

std::string policy_of(const AggregateHead& head) {
    json::object out;
    const std::pair<std::string_view, const std::string*> all[] = {
        {"p", &head.p},         {"sp", &head.sp},
        {"np", &head.np},       {"adkim", &head.adkim},
        {"aspf", &head.aspf},   {"testing", &head.testing},
        {"fo", &head.fo},       {"discovery_method", &head.discovery_method},
        {"error", &head.error}, {"generator", &head.generator}};
    for (const auto& [key, value] : all)
        if (!value->empty()) out[key] = *value;
    return json::serialize(out);
}

std::string lines_of(const std::vector<std::string>& strings) { return text::join(strings, "\n"); }
std::vector<std::string> from_lines(std::string_view lines) {
    std::vector<std::string> out;
    if (lines.empty()) return out;
    for (const auto line : text::split(lines, '\n')) out.emplace_back(line);
    return out;
}

// The choice as a condition on `report`, bound as three values.
constexpr std::string_view kChosen =
    "report.end_s >= ?1 AND (?2 = '' OR report.domain = ?2 OR "
    "substr(report.domain, -length(?2) - 1) = '.' || ?2)";

}  // namespace

std::string_view kind_name(Kind kind) noexcept { return kind == Kind::Dmarc ? "dmarc" : "tls"; }
std::string_view state_name(SendState state) noexcept { return kStates[static_cast<std::size_t>(state)]; }

Result<Store> Store::open(const std::string& path, bool read_only) {
    db::Options options;
    options.mode = 0640;
    options.read_only = read_only;
    options.create = !read_only;
    options.cache_kib = 4096;
    if (read_only && !os::exists(path))
        return fail(Errc::NotFound, fmt::format("there is no '{}': no report has come in yet", path));
    if (!read_only) GK_CHECK(os::make_directories(path.substr(0, path.rfind('/')), 0750));
    Store store;
    GK_TRY(store.database_, db::Database::open(path, options));
    if (!read_only) GK_CHECK(store.database_.migrate(kSchema));
    return store;
}

Status Store::begin_aggregate(std::int64_t now_s) {
    abandon();
    GK_TRY(auto transaction, db::Transaction::begin(database_));
    writing_.emplace(std::move(transaction));
    // Its own id stands in for what is not known before the end.
    GK_TRY(auto insert,
           database_.prepare("INSERT INTO report(kind, reporter, report_id, organization, contact, domain, begin_s,"
                             " end_s, received_s, records, messages, policy)"
                             " VALUES('dmarc', '', hex(randomblob(16)), '', '', '', 0, 0, ?, 0, 0, '')"));
    GK_CHECK(insert.bind(now_s).run());
    report_ = database_.last_insert_rowid();
    records_ = messages_ = 0;
    return ok();
}

Status Store::add(const AggregateRecord& record) {
    GK_TRY(auto insert, database_.prepare("INSERT INTO dmarc_record VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    GK_CHECK(insert.bind(report_)
                 .bind(record.source_ip)
                 .bind(static_cast<std::int64_t>(record.count))
                 .bind(record.disposition)
                 .bind(std::int64_t{record.dkim_aligned})
                 .bind(std::int64_t{record.spf_aligned})
                 .bind(record.header_from)
                 .bind(record.envelope_from)
                 .bind(record.envelope_to)
                 .bind(reasons_of(record))
                 .bind(names_of(record))
                 .bind(details_of(record))
                 .run());
    ++records_;
    messages_ += static_cast<std::int64_t>(record.count);
    return ok();
}

Result<bool> Store::finish_aggregate(const AggregateHead& head) {
    if (!writing_) return fail(Errc::Bug, "no report is being stored");
    const std::string reporter = text::lower(head.organization);
    GK_TRY(auto known, database_.prepare("SELECT 1 FROM report WHERE kind='dmarc' AND reporter=? AND report_id=?"));
    GK_TRY(const bool there, known.bind(reporter).bind(head.report_id).step());
    known.reset();
    if (there) {
        abandon();
        return false;
    }
    GK_TRY(auto update,
           database_.prepare("UPDATE report SET reporter=?, report_id=?, organization=?, contact=?, domain=?,"
                             " begin_s=?, end_s=?, records=?, messages=?, policy=? WHERE id=?"));
    GK_CHECK(update.bind(reporter)
                 .bind(head.report_id)
                 .bind(head.organization)
                 .bind(head.email)
                 .bind(head.domain)
                 .bind(head.begin_s)
                 .bind(head.end_s)
                 .bind(records_)
                 .bind(messages_)
                 .bind(policy_of(head))
                 .bind(report_)
                 .run());
    GK_CHECK(writing_->commit());
    writing_.reset();
    return true;
}

void Store::abandon() { writing_.reset(); }

Result<bool> Store::add(const TlsReport& report, std::int64_t now_s) {
    abandon();
    GK_TRY(auto transaction, db::Transaction::begin(database_));
    const std::string reporter = text::lower(report.organization);
    GK_TRY(auto known, database_.prepare("SELECT 1 FROM report WHERE kind='tls' AND reporter=? AND report_id=?"));
    GK_TRY(const bool there, known.bind(reporter).bind(report.report_id).step());
    known.reset();
    if (there) return false;
    std::int64_t sessions = 0;
    for (const auto& policy : report.policies)
        sessions += static_cast<std::int64_t>(policy.successes + policy.failures);
    GK_TRY(auto insert,
           database_.prepare("INSERT INTO report(kind, reporter, report_id, organization, contact, domain, begin_s,"
                             " end_s, received_s, records, messages, policy)"
                             " VALUES('tls', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')"));
    GK_CHECK(insert.bind(reporter)
                 .bind(report.report_id)
                 .bind(report.organization)
                 .bind(report.contact)
                 .bind(report.policies.front().domain)
                 .bind(report.begin_s)
                 .bind(report.end_s)
                 .bind(now_s)
                 .bind(static_cast<std::int64_t>(report.policies.size()))
                 .bind(sessions)
                 .run());
    const std::int64_t id = database_.last_insert_rowid();
    std::int64_t number = 0;
    for (const auto& policy : report.policies) {
        GK_TRY(auto add_policy, database_.prepare("INSERT INTO tls_policy VALUES(?, ?, ?, ?, ?, ?, ?, ?)"));
        GK_CHECK(add_policy.bind(id)
                     .bind(number)
                     .bind(policy.type)
                     .bind(policy.domain)
                     .bind(lines_of(policy.strings))
                     .bind(lines_of(policy.mx_hosts))
                     .bind(static_cast<std::int64_t>(policy.successes))
                     .bind(static_cast<std::int64_t>(policy.failures))
                     .run());
        for (const auto& failure : policy.details) {
            GK_TRY(auto add_failure, database_.prepare("INSERT INTO tls_failure VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
            GK_CHECK(add_failure.bind(id)
                         .bind(number)
                         .bind(failure.result)
                         .bind(failure.sending_ip)
                         .bind(failure.receiving_mx)
                         .bind(failure.receiving_helo)
                         .bind(failure.receiving_ip)
                         .bind(static_cast<std::int64_t>(failure.count))
                         .bind(failure.additional)
                         .bind(failure.reason_code)
                         .run());
        }
        ++number;
    }
    GK_CHECK(transaction.commit());
    return true;
}

Status Store::list(const Choice& choice, std::optional<Kind> kind, const std::function<void(const Received&)>& each) {
    GK_TRY(auto query,
           database_.prepare(fmt::format("SELECT id, kind, domain, organization, report_id, begin_s, end_s, received_s,"
                                         " records, messages FROM report WHERE {} AND (?3 = '' OR kind = ?3)"
                                         " ORDER BY end_s DESC, id DESC",
                                         kChosen)));
    query.bind(choice.since_s).bind(choice.domain).bind(kind ? kind_name(*kind) : "");
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return ok();
        Received received;
        received.id = query.integer(0);
        received.kind = query.text(1) == "tls" ? Kind::Tls : Kind::Dmarc;
        received.domain = query.text(2);
        received.organization = query.text(3);
        received.report_id = query.text(4);
        received.begin_s = query.integer(5);
        received.end_s = query.integer(6);
        received.received_s = query.integer(7);
        received.records = query.integer(8);
        received.messages = query.integer(9);
        each(received);
    }
}

Status Store::sources(const Choice& choice, const std::function<void(const SourceSum&)>& each) {
    GK_TRY(
        auto query,
        database_.prepare(fmt::format(
            "SELECT report.domain, header_from, source_ip, sum(count), sum(count * (dkim OR spf)), sum(count * dkim),"
            " sum(count * spf), sum(count * (disposition IN ('none', 'pass'))), sum(count * "
            "(disposition='quarantine')),"
            " sum(count * (disposition='reject')), sum(count * (reasons <> '')), count(DISTINCT report.id), max(names)"
            " FROM dmarc_record JOIN report ON report.id = dmarc_record.report WHERE {}"
            " GROUP BY report.domain, header_from, source_ip"
            " ORDER BY report.domain, sum(count * NOT (dkim OR spf)) DESC, sum(count) DESC, source_ip",
            kChosen)));
    query.bind(choice.since_s).bind(choice.domain);
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return ok();
        SourceSum sum;
        sum.domain = query.text(0);
        sum.header_from = query.text(1);
        sum.source_ip = query.text(2);
        sum.messages = query.integer(3);
        sum.passed = query.integer(4);
        sum.dkim = query.integer(5);
        sum.spf = query.integer(6);
        sum.none = query.integer(7);
        sum.quarantine = query.integer(8);
        sum.reject = query.integer(9);
        sum.overridden = query.integer(10);
        sum.reports = query.integer(11);
        sum.names = query.text(12);
        each(sum);
    }
}

Status Store::tls_sums(const Choice& choice, const std::function<void(const TlsSum&)>& each) {
    GK_TRY(auto query,
           database_.prepare(fmt::format(
               "SELECT tls_policy.domain, tls_policy.type, sum(successes), sum(failures),"
               " count(DISTINCT report.id) FROM tls_policy JOIN report ON report.id = tls_policy.report"
               " WHERE {} GROUP BY tls_policy.domain, tls_policy.type ORDER BY tls_policy.domain, tls_policy.type",
               kChosen)));
    query.bind(choice.since_s).bind(choice.domain);
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return ok();
        each({std::string(query.text(0)), std::string(query.text(1)), query.integer(2), query.integer(3),
              query.integer(4)});
    }
}

Status Store::tls_failures(const Choice& choice, const std::function<void(const TlsFailureSum&)>& each) {
    GK_TRY(auto query,
           database_.prepare(fmt::format(
               "SELECT tls_policy.domain, tls_policy.type, result, receiving_mx, reason_code, sum(count)"
               " FROM tls_failure JOIN tls_policy USING(report, number) JOIN report ON report.id = tls_failure.report"
               " WHERE {} GROUP BY tls_policy.domain, tls_policy.type, result, receiving_mx, reason_code"
               " ORDER BY tls_policy.domain, tls_policy.type, sum(count) DESC, result, receiving_mx",
               kChosen)));
    query.bind(choice.since_s).bind(choice.domain);
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return ok();
        each({std::string(query.text(0)), std::string(query.text(1)), std::string(query.text(2)),
              std::string(query.text(3)), std::string(query.text(4)), query.integer(5)});
    }
}

Result<std::optional<TlsReport>> Store::tls_report(std::int64_t id) {
    GK_TRY(auto head, database_.prepare("SELECT organization, contact, report_id, begin_s, end_s FROM report"
                                        " WHERE id=? AND kind='tls'"));
    GK_TRY(const bool there, head.bind(id).step());
    if (!there) return std::optional<TlsReport>();
    TlsReport report;
    report.organization = head.text(0);
    report.contact = head.text(1);
    report.report_id = head.text(2);
    report.begin_s = head.integer(3);
    report.end_s = head.integer(4);
    head.reset();
    GK_TRY(auto policies,
           database_.prepare("SELECT type, domain, strings, mx_hosts, successes, failures FROM tls_policy"
                             " WHERE report=? ORDER BY number"));
    policies.bind(id);
    for (;;) {
        GK_TRY(const bool row, policies.step());
        if (!row) break;
        auto& policy = report.policies.emplace_back();
        policy.type = policies.text(0);
        policy.domain = policies.text(1);
        policy.strings = from_lines(policies.text(2));
        policy.mx_hosts = from_lines(policies.text(3));
        policy.successes = static_cast<std::uint64_t>(policies.integer(4));
        policy.failures = static_cast<std::uint64_t>(policies.integer(5));
    }
    GK_TRY(auto failures,
           database_.prepare("SELECT number, result, sending_ip, receiving_mx, receiving_helo, receiving_ip, count,"
                             " additional, reason_code FROM tls_failure WHERE report=? ORDER BY rowid"));
    failures.bind(id);
    for (;;) {
        GK_TRY(const bool row, failures.step());
        if (!row) return report;
        const auto number = static_cast<std::size_t>(failures.integer(0));
        if (number >= report.policies.size()) continue;
        auto& failure = report.policies[number].details.emplace_back();
        failure.result = failures.text(1);
        failure.sending_ip = failures.text(2);
        failure.receiving_mx = failures.text(3);
        failure.receiving_helo = failures.text(4);
        failure.receiving_ip = failures.text(5);
        failure.count = static_cast<std::uint64_t>(failures.integer(6));
        failure.additional = failures.text(7);
        failure.reason_code = failures.text(8);
    }
}

Result<std::int64_t> Store::remove_received_before(std::int64_t before_s) {
    GK_TRY(auto remove, database_.prepare("DELETE FROM report WHERE end_s < ?"));
    GK_CHECK(remove.bind(before_s).run());
    return database_.changes();
}

Result<bool> Store::was_seen(std::string_view mailbox, std::string_view name) {
    GK_TRY(auto query, database_.prepare("SELECT 1 FROM seen WHERE mailbox=? AND name=?"));
    GK_TRY(const bool seen, query.bind(mailbox).bind(name).step());
    query.reset();
    return seen;
}

Status Store::put_seen(std::string_view mailbox, std::string_view name) {
    GK_TRY(auto insert, database_.prepare("INSERT OR IGNORE INTO seen VALUES(?, ?)"));
    return insert.bind(mailbox).bind(name).run();
}

Result<std::optional<Outgoing>> Store::find_outgoing(Kind kind, std::int64_t day, std::string_view domain,
                                                     std::string_view destination) {
    GK_TRY(auto query, database_.prepare("SELECT report_id, queue_id, state, detail, changed_s, messages FROM outgoing"
                                         " WHERE kind=? AND day=? AND domain=? AND destination=?"));
    GK_TRY(const bool row, query.bind(kind_name(kind)).bind(day).bind(domain).bind(destination).step());
    if (!row) return std::optional<Outgoing>();
    Outgoing out;
    out.kind = kind;
    out.day = day;
    out.domain = domain;
    out.destination = destination;
    out.report_id = query.text(0);
    out.queue_id = query.text(1);
    const auto state = std::find(std::begin(kStates), std::end(kStates), query.text(2));
    if (state == std::end(kStates)) return fail(Errc::Permanent, "reports.db has a state that is not known");
    out.state = static_cast<SendState>(state - std::begin(kStates));
    out.detail = query.text(3);
    out.changed_s = query.integer(4);
    out.messages = query.integer(5);
    query.reset();
    return out;
}

Status Store::put_outgoing(const Outgoing& o) {
    GK_TRY(auto insert, database_.prepare("INSERT OR REPLACE INTO outgoing VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    return insert.bind(kind_name(o.kind))
        .bind(o.day)
        .bind(o.domain)
        .bind(o.destination)
        .bind(o.report_id)
        .bind(o.queue_id)
        .bind(state_name(o.state))
        .bind(o.detail)
        .bind(o.changed_s)
        .bind(o.messages)
        .run();
}

Status Store::list_outgoing(std::optional<Kind> kind, const std::function<void(const Outgoing&)>& each) {
    GK_TRY(auto query,
           database_.prepare("SELECT kind, day, domain, destination, report_id, queue_id, state, detail, changed_s,"
                             " messages FROM outgoing WHERE ?1 = '' OR kind = ?1"
                             " ORDER BY day DESC, domain, destination"));
    query.bind(kind ? kind_name(*kind) : "");
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return ok();
        Outgoing out;
        out.kind = query.text(0) == "tls" ? Kind::Tls : Kind::Dmarc;
        out.day = query.integer(1);
        out.domain = query.text(2);
        out.destination = query.text(3);
        out.report_id = query.text(4);
        out.queue_id = query.text(5);
        const auto state = std::find(std::begin(kStates), std::end(kStates), query.text(6));
        if (state != std::end(kStates)) out.state = static_cast<SendState>(state - std::begin(kStates));
        out.detail = query.text(7);
        out.changed_s = query.integer(8);
        out.messages = query.integer(9);
        each(out);
    }
}

Status Store::remove_outgoing_before(std::int64_t day) {
    GK_TRY(auto remove, database_.prepare("DELETE FROM outgoing WHERE day < ?"));
    return remove.bind(day).run();
}

}  // namespace gk::reports
