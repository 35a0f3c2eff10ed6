// SPDX-License-Identifier: MIT
#include "common/reports/send.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/text.hpp"
#include "common/mailauth/dns_table.hpp"
#include "common/queue/spool_file.hpp"
#include "common/reports/aggregate.hpp"
#include "common/reports/ingest.hpp"
#include "common/reports/outbox.hpp"
#include "tests/unit/reports/fixture.hpp"

namespace gk::reports {
namespace {

const TimePoint kToday = *parse_rfc3339("2026-11-28T03:00:00Z");
const TimePoint kYesterday = *parse_rfc3339("2026-11-27T12:00:00Z");

DmarcObservation seen(const std::string& ip = "192.0.2.1") {
    DmarcObservation o;
    o.at = kYesterday;
    o.source_ip = ip;
    o.header_from = o.policy_domain = o.organizational_domain = o.envelope_from = "a.test";
    o.envelope_to = "b.test";
    o.p = "reject";
    o.disposition = "pass";
    o.dkim_aligned = true;
    o.dkim = {{"a.test", "s", "pass"}};
    o.spf = {"a.test", "mfrom", "fail"};
    o.rua = {"mailto:d@a.test"};
    return o;
}

class Send : public InDirectory {
protected:
    void SetUp() override {
        InDirectory::SetUp();
        settings_.sender = "reports@b.test";
        settings_.contact = "postmaster@b.test";
        settings_.organization = "B";
        settings_.spool = dir_ + "/spool";
        settings_.directory = dir_ + "/spool/reports";
        settings_.database = dir_ + "/reports/reports.db";
    }
    void observe(const DmarcObservation& o) { ASSERT_TRUE(append(settings_.directory, o)); }
    Result<SendTotals> try_send(Kind kind = Kind::Dmarc, bool dry = false, TimePoint when = kToday) {
        lines_.clear();
        return send_reports(kind, settings_, dns_, when, dry, [this](const SendLine& line) { lines_.push_back(line); });
    }
    SendTotals send(Kind kind = Kind::Dmarc, bool dry = false, TimePoint when = kToday) {
        const auto totals = try_send(kind, dry, when);
        EXPECT_TRUE(totals) << totals.error().text;
        return totals ? *totals : SendTotals{};
    }
    std::vector<std::string> spooled() const {
        std::vector<std::string> out;
        if (const auto entries = os::list_directory(settings_.spool + "/new"))
            for (const auto& entry : *entries) out.push_back(settings_.spool + "/new/" + entry.name);
        return out;
    }
    // The report in the one message that waits in the spool.
    Parsed only_report() const {
        const auto files = spooled();
        EXPECT_EQ(files.size(), 1u);
        if (files.size() != 1) return {};
        const auto file = queue::SpoolFile::open(files[0]);
        const auto message = file->read_message(0, 1 << 20);
        const auto found = find_reports(*message, {});
        EXPECT_EQ(found.size(), 1u);
        std::string xml;
        EXPECT_TRUE(unpack(found.at(0).bytes, {}, [&](std::string_view piece) {
            xml += piece;
            return ok();
        }));
        return parse(xml);
    }
    Status change_state(SendState state) {
        GK_TRY(auto store, Store::open(settings_.database));
        std::optional<Outgoing> row;
        GK_CHECK(store.list_outgoing(std::nullopt, [&](const Outgoing& o) { row = o; }));
        row->state = state;
        return store.put_outgoing(*row);
    }

    SendSettings settings_;
    mailauth::DnsTable dns_;
    std::vector<SendLine> lines_;
};

TEST_F(Send, ADayBecomesOneReportWhoseCountsAreThoseOfTheObservations) {
    for (int i = 0; i < 3; ++i) observe(seen());
    observe(seen("2001:db8:0::5"));
    DmarcObservation late = seen();
    late.at = kYesterday + std::chrono::hours(1);
    late.p = "quarantine";
    late.disposition = "none";
    late.dkim_aligned = false;
    late.reasons = {{"local_policy", "because"}};
    observe(late);
    EXPECT_EQ(send().sent, 1u);
    const auto report = only_report();
    ASSERT_TRUE(report.head) << report.head.error().text;
    EXPECT_EQ(report.head->domain, "a.test");
    EXPECT_EQ(report.head->p, "quarantine");  // the last one seen
    EXPECT_EQ(report.head->organization, "B");
    EXPECT_EQ(report.head->begin_s, 1795737600);
    EXPECT_EQ(report.head->end_s, 1795823999);
    ASSERT_EQ(report.records.size(), 3u);
    EXPECT_EQ(report.records[0].source_ip, "192.0.2.1");
    EXPECT_EQ(report.records[0].count, 3u);
    EXPECT_EQ(report.records[1].count + report.records[2].count, 2u);
    const auto file = queue::SpoolFile::open(spooled().at(0));
    ASSERT_TRUE(file);
    EXPECT_EQ(file->envelope().reverse_path, "reports@b.test");
    EXPECT_EQ(file->envelope().recipients.at(0).address, "d@a.test");
    EXPECT_EQ(file->envelope().recipients.at(0).notify, queue::kNotifyNever);
    EXPECT_TRUE(file->verify());
}

TEST_F(Send, ASecondRunSendsNothing) {
    observe(seen());
    EXPECT_EQ(send().sent, 1u);
    EXPECT_EQ(send().sent, 0u);
    EXPECT_EQ(spooled().size(), 1u);
    // Also where the day's observations come again.
    observe(seen());
    EXPECT_EQ(send().sent, 0u);
    EXPECT_EQ(spooled().size(), 1u);
}

TEST_F(Send, TheRunningDayWaits) {
    DmarcObservation o = seen();
    o.at = kToday;
    observe(o);
    EXPECT_EQ(send().sent, 0u);
    EXPECT_EQ(send(Kind::Dmarc, false, kToday + std::chrono::hours(24)).sent, 1u);
}

TEST_F(Send, ADryRunChangesNothing) {
    observe(seen());
    EXPECT_EQ(send(Kind::Dmarc, true).sent, 1u);
    EXPECT_EQ(lines_.at(0).outgoing.destination, "d@a.test");
    EXPECT_TRUE(lines_.at(0).dry);
    EXPECT_TRUE(spooled().empty());
    EXPECT_FALSE(os::exists(settings_.database));
    EXPECT_EQ(send().sent, 1u);
}

TEST_F(Send, NobodyIsSentAReportWhoDidNotConsent) {
    DmarcObservation o = seen();
    o.rua = {"mailto:d@victim.test"};
    observe(o);
    EXPECT_EQ(send().skipped, 1u);
    EXPECT_TRUE(spooled().empty());
    EXPECT_NE(lines_.at(0).outgoing.detail.find("does not consent"), std::string::npos);
    EXPECT_EQ(send().skipped, 0u);
}

TEST_F(Send, AHostBelowTheDomainThatIsAnOrganizationOfItsOwnIsAsked) {
    ASSERT_TRUE(dns_.add_line("_dmarc.a.test TXT v=DMARC1; p=reject; psd=y"));
    ASSERT_TRUE(dns_.add_line("_dmarc.other.a.test TXT v=DMARC1; p=none; psd=n"));
    DmarcObservation o = seen();
    o.rua = {"mailto:d@other.a.test"};
    observe(o);
    EXPECT_EQ(send().skipped, 1u);
    EXPECT_TRUE(spooled().empty());
}

TEST_F(Send, TheOwnOrganizationIsNotAsked) {
    ASSERT_TRUE(dns_.add_line("_dmarc.a.test TXT v=DMARC1; p=reject"));
    DmarcObservation o = seen();
    o.policy_domain = o.header_from = "news.a.test";
    o.rua = {"mailto:d@a.test", "mailto:d@mail.a.test", "mailto:d@nota.test", "mailto:d@test.test"};
    observe(o);
    const auto totals = send();
    EXPECT_EQ(totals.sent, 2u);
    EXPECT_EQ(totals.skipped, 2u);
}

TEST_F(Send, WhereDnsDoesNotAnswerItIsTriedAgainAndGivenUpAtTheEnd) {
    DmarcObservation o = seen();
    o.rua = {"mailto:d@r.test"};
    observe(o);
    dns_.add_failure("a.test._report._dmarc.r.test", "*");
    EXPECT_EQ(send().retry, 1u);
    EXPECT_EQ(send().retry, 1u);
    EXPECT_TRUE(spooled().empty());
    mailauth::DnsTable better;
    ASSERT_TRUE(better.add_line("a.test._report._dmarc.r.test TXT v=DMARC1; rua=mailto:moved@r.test"));
    std::swap(dns_, better);
    EXPECT_EQ(send().sent, 1u);
    EXPECT_EQ(queue::SpoolFile::open(spooled().at(0))->envelope().recipients.at(0).address, "moved@r.test");

    o.at = kYesterday + std::chrono::hours(24);
    observe(o);
    std::swap(dns_, better);
    EXPECT_EQ(send(Kind::Dmarc, false, kToday + std::chrono::hours(24)).retry, 1u);
    EXPECT_EQ(send(Kind::Dmarc, false, kToday + std::chrono::hours(24 * 10)).skipped, 1u);
    EXPECT_EQ(lines_.at(0).outgoing.state, SendState::GaveUp);
}

TEST_F(Send, SizeLimitsAreHonoured) {
    DmarcObservation o = seen();
    o.rua = {"mailto:small@a.test!1k", "mailto:large@a.test!1m"};
    observe(o);
    const auto totals = send();
    EXPECT_EQ(totals.sent, 1u);
    EXPECT_EQ(totals.skipped, 1u);
    EXPECT_EQ(queue::SpoolFile::open(spooled().at(0))->envelope().recipients.at(0).address, "large@a.test");
}

TEST_F(Send, ReportsAloneAreNoReasonForAReport) {
    DmarcObservation o = seen();
    o.is_report = true;
    observe(o);
    EXPECT_EQ(send().sent, 0u);
    EXPECT_TRUE(lines_.empty());
    o.at = kYesterday + std::chrono::hours(24);
    observe(o);
    o.is_report = false;
    observe(o);
    EXPECT_EQ(send(Kind::Dmarc, false, kToday + std::chrono::hours(24)).sent, 1u);
    EXPECT_EQ(only_report().records.at(0).count, 2u);
}

// Each step after which the program may be killed, as the next run finds it.
TEST_F(Send, AKillBetweenStepsSendsNothingTwiceAndLosesNothing) {
    const std::string file = settings_.directory + "/" + file_name(Kind::Dmarc, 20784), aside = file + ".sent";
    observe(seen());
    EXPECT_EQ(send().sent, 1u);
    const std::string first = spooled().at(0), id = first.substr(first.rfind('/') + 1);
    const std::string staged = settings_.directory + "/outbox/new/" + id;

    // Released, but the row does not say so; and the queue has sent it meanwhile.
    ASSERT_TRUE(os::rename(aside, file));
    ASSERT_TRUE(change_state(SendState::Staged));
    ASSERT_TRUE(os::rename(first, dir_ + "/gone"));
    EXPECT_EQ(send().sent, 0u);
    EXPECT_TRUE(spooled().empty());

    // Staged, not released.
    ASSERT_TRUE(os::rename(aside, file));
    ASSERT_TRUE(change_state(SendState::Staged));
    ASSERT_TRUE(os::rename(dir_ + "/gone", staged));
    send();
    EXPECT_EQ(spooled(), std::vector{first});

    // Written whole or in part, and the row does not know.
    ASSERT_TRUE(os::rename(aside, file));
    ASSERT_TRUE(change_state(SendState::Composing));
    ASSERT_TRUE(os::rename(first, staged));
    ASSERT_TRUE(os::append_file(settings_.directory + "/outbox/tmp/part", "x", false));
    EXPECT_EQ(send().sent, 1u);
    EXPECT_EQ(spooled().size(), 1u);
    EXPECT_NE(spooled(), std::vector{first});
    EXPECT_FALSE(os::exists(settings_.directory + "/outbox/tmp/part"));

    // All done, but the day was not put aside.
    ASSERT_TRUE(os::rename(aside, file));
    EXPECT_EQ(send().sent, 0u);
    EXPECT_EQ(spooled().size(), 1u);
    EXPECT_TRUE(os::exists(aside));
}

TEST_F(Send, ObservationsAreForgottenWhenTheirTimeIsOver) {
    observe(seen());
    send();
    const std::string aside = settings_.directory + "/" + file_name(Kind::Dmarc, 20784) + ".sent";
    EXPECT_TRUE(os::exists(aside));
    send(Kind::Dmarc, false, kToday + std::chrono::hours(24 * 5));
    EXPECT_TRUE(os::exists(aside));
    send(Kind::Dmarc, false, kToday + std::chrono::hours(24 * 8));
    EXPECT_FALSE(os::exists(aside));
}

TEST_F(Send, ObservationsAreForgottenAlsoWhereNothingIsSent) {
    const TimePoint in_time = kToday + std::chrono::hours(24 * 6), late = kToday + std::chrono::hours(24 * 8);
    const std::string file = settings_.directory + "/" + file_name(Kind::Dmarc, 20784);
    const std::string sender = settings_.sender;
    for (const bool has_sender : {false, true}) {
        settings_.sender = has_sender ? sender : "";
        settings_.dmarc = !has_sender;
        observe(seen());
        ASSERT_EQ(try_send(Kind::Dmarc, false, in_time).has_value(), has_sender);
        EXPECT_TRUE(os::exists(file));
        ASSERT_EQ(try_send(Kind::Dmarc, true, late).has_value(), has_sender);
        EXPECT_TRUE(os::exists(file));
        ASSERT_EQ(try_send(Kind::Dmarc, false, late).has_value(), has_sender);
        EXPECT_FALSE(os::exists(file));
    }
}

TEST_F(Send, ADayThatCannotBeReadDoesNotStayForEver) {
    ASSERT_TRUE(os::make_directories(settings_.directory));
    const std::string file = settings_.directory + "/" + file_name(Kind::Dmarc, 20784);
    ASSERT_EQ(::symlink(file.c_str(), file.c_str()), 0);
    DmarcObservation next = seen();
    next.at = kYesterday + std::chrono::hours(24);
    observe(next);
    EXPECT_FALSE(try_send(Kind::Dmarc, false, kToday + std::chrono::hours(24)));
    EXPECT_EQ(spooled().size(), 1u);
    struct stat st;
    EXPECT_EQ(::lstat(file.c_str(), &st), 0);
    (void)try_send(Kind::Dmarc, false, kToday + std::chrono::hours(24 * 8));
    EXPECT_NE(::lstat(file.c_str(), &st), 0);
}

TEST_F(Send, RowsAreBoundedAndWhatHasNoRoomIsCounted) {
    settings_.rows = 200;  // of which one organization may have 10
    for (int i = 1; i <= 15; ++i) observe(seen("192.0.2." + std::to_string(i)));
    EXPECT_EQ(send().sent, 1u);
    const auto report = only_report();
    EXPECT_EQ(report.records.size(), 10u);
    EXPECT_EQ(report.head->error, "5 more messages are not in this report: they differ in too many ways");
}

TEST_F(Send, OneOrganizationLeavesRoomForTheOthers) {
    const auto of = [](std::string domain, std::string ip) {
        DmarcObservation o = seen(ip);
        o.policy_domain = o.header_from = domain;
        return o;
    };
    DmarcDay rows(40);
    for (int i = 1; i <= 50; ++i) rows.add(of(fmt::format("x{}.a.test", i % 2), fmt::format("192.0.2.{}", i)));
    DmarcObservation other = of("b.test", "192.0.2.1");
    other.organizational_domain = "b.test";
    rows.add(other);
    auto groups = rows.take();
    ASSERT_EQ(groups.size(), 3u);
    EXPECT_EQ(groups["x0.a.test"].records.size() + groups["x1.a.test"].records.size(), 2u);
    EXPECT_EQ(groups["x0.a.test"].left_out + groups["x1.a.test"].left_out, 48u);
    EXPECT_EQ(groups["b.test"].records.size(), 1u);

    DmarcDay domains(1000, 40);
    for (int i = 0; i < 50; ++i) domains.add(of(fmt::format("x{}.a.test", i), "192.0.2.1"));
    domains.add(other);
    EXPECT_EQ(domains.without_report(), 48u);
    EXPECT_EQ(domains.take().size(), 3u);
}

TEST_F(Send, ADayHasSoManyPolicyDomainsAndNoMore) {
    TlsDay day(1000, 5);
    TlsObservation o;
    o.policy_type = "no-policy-found";
    o.result = "success";
    for (int round = 0; round < 2; ++round)
        for (int i = 0; i < 8; ++i) {
            o.policy_domain = fmt::format("x{}.test", i);
            day.add(o);
        }
    EXPECT_EQ(day.without_report(), 6u);
    const auto groups = day.take();
    ASSERT_EQ(groups.size(), 5u);
    EXPECT_EQ(groups.at("x4.test").sessions, 2u);
}

TEST_F(Send, ARunThatTakesTooLongLeavesTheRestToTheNext) {
    ASSERT_TRUE(dns_.add_line("_smtp._tls.a.test TXT v=TLSRPTv1; rua=mailto:t@a.test"));
    observe(seen());
    TlsObservation o;
    o.at = kYesterday;
    o.policy_domain = "a.test";
    o.policy_type = "no-policy-found";
    o.result = "success";
    o.rua = {"mailto:t@a.test"};
    ASSERT_TRUE(append(settings_.directory, o));
    settings_.run_time = std::chrono::seconds(0);
    for (const Kind kind : {Kind::Dmarc, Kind::Tls}) {
        const auto totals = send(kind);
        EXPECT_EQ(totals.sent, 0u);
        EXPECT_EQ(totals.retry, 1u);
        EXPECT_EQ(lines_.at(0).outgoing.detail, "the run's time was over");
    }
    EXPECT_TRUE(spooled().empty());
    settings_.run_time = std::chrono::minutes(30);
    EXPECT_EQ(send(Kind::Dmarc).sent, 1u);
    EXPECT_EQ(send(Kind::Tls).sent, 1u);
}

TEST_F(Send, DnsHasADeadlineForEachDomain) {
    using Clock = std::chrono::steady_clock;
    struct Source : mailauth::DnsTable {
        void set_deadline(Clock::time_point latest) noexcept override { deadlines.push_back(latest); }
        std::vector<Clock::time_point> deadlines;
    } source;
    DmarcObservation o = seen();
    observe(o);
    o.policy_domain = o.organizational_domain = "c.test";
    observe(o);
    settings_.run_time = std::chrono::hours(24);
    settings_.domain_time = std::chrono::seconds(100);
    const auto begin = Clock::now();
    ASSERT_TRUE(send_reports(Kind::Dmarc, settings_, source, kToday, false, [](const SendLine&) {}));
    ASSERT_EQ(source.deadlines.size(), 2u);
    for (const auto deadline : source.deadlines) {
        EXPECT_GE(deadline, begin + std::chrono::seconds(100));
        EXPECT_LE(deadline, Clock::now() + std::chrono::seconds(100));
    }
}

TEST_F(Send, NothingIsSentWithoutASenderOrWhereItIsSwitchedOff) {
    observe(seen());
    settings_.dmarc = false;
    EXPECT_EQ(send().sent, 0u);
    settings_.sender.clear();
    EXPECT_EQ(try_send().error().code, Errc::Config);
}

TEST_F(Send, TlsSessionsBecomeAReportToTheAddressInDns) {
    ASSERT_TRUE(dns_.add_line("_smtp._tls.a.test TXT v=TLSRPTv1; rua=mailto:t@elsewhere.test"));
    TlsObservation o;
    o.at = kYesterday;
    o.policy_domain = "a.test";
    o.policy_type = "sts";
    o.policy = {"version: STSv1"};
    o.result = "success";
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(append(settings_.directory, o));
    o.result = "certificate-expired";
    o.receiving_mx = "mx.a.test";
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(settings_.directory, o));
    o.policy_domain = "nobody-asks.test";
    ASSERT_TRUE(append(settings_.directory, o));
    EXPECT_EQ(send(Kind::Tls).sent, 1u);
    auto store = Store::open(dir_ + "/received.db");
    ASSERT_TRUE(store);
    const auto file = queue::SpoolFile::open(spooled().at(0));
    EXPECT_EQ(file->envelope().recipients.at(0).address, "t@elsewhere.test");
    const auto taken = ingest(*file->read_message(0, 1 << 20), {}, *store, kToday);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->at(0).outcome, Ingested::Outcome::Stored) << taken->at(0).error;
    std::vector<TlsSum> sums;
    ASSERT_TRUE(store->tls_sums({}, [&](const TlsSum& sum) { sums.push_back(sum); }));
    ASSERT_EQ(sums.size(), 1u);
    EXPECT_EQ(sums[0].successes, 5);
    EXPECT_EQ(sums[0].failures, 2);
    EXPECT_EQ(send(Kind::Tls).sent, 0u);
}

}  // namespace
}  // namespace gk::reports
