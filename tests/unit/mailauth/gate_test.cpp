// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "common/mailauth/arc/seal.hpp"
#include "common/mailauth/gate/results.hpp"
#include "tests/unit/mailauth/dkim_fixture.hpp"

namespace gk::mailauth::gate {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kZone =
    "a.test              TXT  v=spf1 ip4:192.0.2.1 -all\n"
    "_dmarc.a.test       TXT  v=DMARC1; p=reject; psd=n\n"
    "q.test              TXT  v=spf1 ip4:192.0.2.1 -all\n"
    "_dmarc.q.test       TXT  v=DMARC1; p=quarantine; psd=n\n"
    "nomail.test         TXT  v=spf1 -all\n"
    "soft.test           TXT  v=spf1 a -all\n"
    "_dmarc.down.test    TXT  TEMPFAIL\n"
    "mx.a.test           A    192.0.2.1\n"
    "mx.a.test           TXT  v=spf1 a -all\n"
    "192.0.2.1           PTR  mx.a.test\n";

// Counts questions, and holds them back where a test says so.
class Source : public DnsTable {
public:
    Source() : DnsTable(*DnsTable::parse(kZone)) {
        const auto& keys = dkim::keys();
        add("r._domainkey.a.test", "TXT", dkim::format_key_record(keys.rsa));
        add("e._domainkey.a.test", "TXT", dkim::format_key_record(keys.ed25519));
    }
    Lookup<std::string> txt(std::string_view name) override {
        {
            const std::lock_guard lock(mutex_);
            ++asked[std::string(name)];
            order_.emplace_back(name);
        }
        if (is_late) return {.outcome = mailauth::Outcome::TempError, .records = {}, .error = "late"};
        return DnsTable::txt(name);
    }
    Lookup<std::string> ptr(std::string_view ip) override {
        {
            const std::lock_guard lock(mutex_);
            order_.emplace_back("reverse");
        }
        return DnsTable::ptr(ip);
    }
    void set_deadline(std::chrono::steady_clock::time_point latest) noexcept override {
        deadline = latest;
        is_late = false;
    }
    std::vector<std::string> order() {
        const std::lock_guard lock(mutex_);
        return order_;
    }
    // Waits until NAME was asked for; false where it never is.
    bool wait_for(const std::string& name) {
        const auto latest = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        for (;; std::this_thread::yield()) {
            const auto seen = order();
            if (std::find(seen.begin(), seen.end(), name) != seen.end()) return true;
            if (std::chrono::steady_clock::now() > latest) return false;
        }
    }
    std::map<std::string, int> asked;
    std::atomic<bool> is_late{false};  // its deadline has passed
    std::chrono::steady_clock::time_point deadline{};

private:
    std::mutex mutex_;
    std::vector<std::string> order_;
};

// Signatures of DOMAIN that are none.
std::string forged_signatures(const std::string& domain, int number = 9) {
    std::string out;
    for (int i = 0; i < number; ++i)
        out += "DKIM-Signature: v=1; a=ed25519-sha256; d=" + domain + "; s=s" + std::to_string(i) +
               "; h=from; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=AAAA\r\n";
    return out;
}

std::shared_ptr<const Options> options(const std::string& toml = "") {
    auto config = config::Config::parse("server.hostname = \"mx.here.test\"\n" + toml);
    EXPECT_TRUE(config) << config.error().text;
    auto made = Options::from(*config);
    EXPECT_TRUE(made) << made.error().text;
    return *made;
}

struct Outcome {
    Findings findings;
    Decision decision;
    std::string field;
};

Outcome outcome(const Options& with, Source& dns, const std::string& message, const std::string& ip = "192.0.2.1",
                const std::string& from = "ann@a.test", std::size_t step = 1000) {
    Facts facts{*Ip::parse(ip), "mx.a.test", from, "mx.here.test", dkim::kNow, 50};
    Check check(with, facts, dns);
    for (std::size_t at = 0; at < message.size(); at += step) check.feed(std::string_view(message).substr(at, step));
    Outcome out;
    out.findings = check.finish();
    out.decision = decide(with, out.findings, dns);
    out.field = authres::format(results_of(with.authserv_id, facts, out.findings), false);
    return out;
}
Outcome outcome(const std::string& message, const std::string& ip = "192.0.2.1", const std::string& from = "ann@a.test",
                const std::string& toml = "") {
    Source dns;
    return outcome(*options(toml), dns, message, ip, from);
}

std::string from(const std::string& domain) { return "From: Ann <ann@" + domain + ">\r\nSubject: x\r\n\r\nHello\r\n"; }

TEST(Gate, AcceptsWhatIsAuthenticAndWritesAllOfItDown) {
    const auto seen = outcome(dkim::sign(dkim::kMessage));
    EXPECT_EQ(seen.decision.action, Decision::Action::Accept);
    const auto results = authres::parse(std::string_view(seen.field).substr(authres::kFieldName.size() + 1));
    ASSERT_TRUE(results) << seen.field;
    EXPECT_EQ(results->id, "mx.here.test");
    std::string words;
    for (const auto& each : results->results) words += each.method + '=' + each.result + ' ';
    EXPECT_EQ(words, "iprev=pass spf=pass spf=pass dkim=pass dmarc=pass ");
    EXPECT_THAT(seen.field, HasSubstr("smtp.mailfrom=ann@a.test"));
    EXPECT_THAT(seen.field, HasSubstr("smtp.helo=mx.a.test"));
    EXPECT_THAT(seen.field, HasSubstr("header.from=a.test"));
    EXPECT_THAT(seen.field, HasSubstr("policy.iprev=192.0.2.1"));
}

TEST(Gate, RefusesForgedMailInWordsThatNameDomainAndReason) {
    const auto seen = outcome(from("a.test"), "203.0.113.9", "x@evil.test");
    EXPECT_EQ(seen.decision.action, Decision::Action::Reject);
    EXPECT_EQ(seen.decision.reply,
              "neither SPF nor DKIM passes for a.test, and the DMARC policy of a.test asks to reject such mail");
}

TEST(Gate, SendsToJunkWhatIsToBeQuarantined) {
    const auto seen = outcome(from("q.test"), "203.0.113.9", "x@evil.test");
    EXPECT_EQ(seen.decision.action, Decision::Action::Quarantine);
    EXPECT_EQ(quarantine_field(seen.findings), "X-GK-Quarantine: dmarc=fail q.test\r\n");
}

TEST(Gate, DoesNoMoreThanItsSettingsPermit) {
    const auto forged = from("a.test");
    EXPECT_EQ(outcome(forged, "203.0.113.9", "x@evil.test", "dmarc.most_severe = \"quarantine\"").decision.action,
              Decision::Action::Quarantine);
    const auto observed = outcome(forged, "203.0.113.9", "x@evil.test", "smtp.authentication = \"observe\"");
    EXPECT_EQ(observed.decision.action, Decision::Action::Accept);
    EXPECT_THAT(observed.decision.reason, HasSubstr("observe: would be reject"));
    EXPECT_THAT(observed.field, HasSubstr("dmarc=fail"));
}

TEST(Gate, TreatsDomainsAsTheirNearestEntrySays) {
    const auto with = options(
        "smtp.authentication = \"off\"\n[smtp.authentication_domains]\n\"a.test\" = \"enforce\"\n\"lax.a.test\" = "
        "\"observe\"\n");
    EXPECT_TRUE(with->active());
    EXPECT_EQ(with->mode_of("a.test"), Mode::Enforce);
    EXPECT_EQ(with->mode_of("x.a.test"), Mode::Enforce);
    EXPECT_EQ(with->mode_of("deep.lax.a.test"), Mode::Observe);
    EXPECT_EQ(with->mode_of("b.test"), Mode::Off);
    EXPECT_FALSE(options("smtp.authentication = \"off\"")->active());
    const auto config = config::Config::parse("[smtp.authentication_domains]\n\"a.test\" = \"maybe\"\n");
    ASSERT_TRUE(config);
    EXPECT_FALSE(Options::from(*config));
}

TEST(Gate, SpfAloneRefusesOnlySendersWhoSendNoMail) {
    EXPECT_EQ(outcome(from("none.test"), "203.0.113.9", "x@nomail.test").decision.action, Decision::Action::Reject);
    EXPECT_EQ(outcome(from("none.test"), "203.0.113.9", "x@soft.test").decision.action, Decision::Action::Accept);
    EXPECT_EQ(outcome(from("none.test"), "203.0.113.9", "x@soft.test", "smtp.spf_refusal = \"always\"").decision.action,
              Decision::Action::Reject);
    EXPECT_EQ(
        outcome(from("none.test"), "203.0.113.9", "x@nomail.test", "smtp.spf_refusal = \"never\"").decision.action,
        Decision::Action::Accept);
    // DMARC vouches for the author: which way the message took is his business.
    EXPECT_EQ(outcome(dkim::sign(dkim::kMessage), "203.0.113.9", "x@nomail.test").decision.action,
              Decision::Action::Accept);
}

TEST(Gate, WhatDnsDoesNotTellIsAcceptedOrDeferred) {
    const auto accepted = outcome(from("down.test"));
    EXPECT_EQ(accepted.decision.action, Decision::Action::Accept);
    EXPECT_THAT(accepted.field, HasSubstr("dmarc=temperror"));
    const auto deferred =
        outcome(from("down.test"), "192.0.2.1", "ann@a.test", "smtp.authentication_temperror = \"defer\"");
    EXPECT_EQ(deferred.decision.action, Decision::Action::Defer);
    EXPECT_THAT(deferred.decision.reply, HasSubstr("try again later"));
}

TEST(Gate, BelievesTrustedSealersAndNobodyElse) {
    // A list changed the message, so that its signature is broken, and sealed what it had seen.
    auto message = text::replace_all(dkim::sign(dkim::kMessage), "Hello", "[list] Hello");
    arc::Sealer sealer({.timestamp_s = dkim::kNow});
    sealer.feed(message);
    auto with = dkim::keys().with(Algorithm::Ed25519Sha256);
    with.domain = "list.test";
    const auto fields = sealer.finish(with, "list.test; dmarc=pass header.from=a.test", arc::Status::None);
    ASSERT_TRUE(fields);
    message = *fields + message;
    const auto see = [&](const std::string& toml) {
        Source dns;
        dns.add("e._domainkey.list.test", "TXT", dkim::format_key_record(dkim::keys().ed25519));
        return outcome(*options(toml), dns, message, "203.0.113.9", "bounce@list.test");
    };
    const auto stranger = see("");
    EXPECT_EQ(stranger.findings.arc.status, arc::Status::Pass) << stranger.findings.arc.reason;
    EXPECT_EQ(stranger.decision.action, Decision::Action::Reject);
    const auto trusted = see("arc.trusted_sealers = [\"list.test\"]");
    auto doubled = std::exchange(message, "From: x@a.test\r\n" + message);
    EXPECT_EQ(see("arc.trusted_sealers = [\"list.test\"]").decision.action, Decision::Action::Reject);
    message = std::move(doubled);
    EXPECT_EQ(trusted.decision.action, Decision::Action::Accept);
    EXPECT_THAT(trusted.field, HasSubstr("arc=pass"));
    ASSERT_EQ(trusted.findings.dmarc.overrides.size(), 1u);
    EXPECT_EQ(trusted.findings.dmarc.overrides[0].comment, "arc=pass as[1].d=list.test as[1].s=e");
}

TEST(Gate, AsksEachQuestionOnceAndNoMoreThanItsLimit) {
    Source dns;
    (void)outcome(*options(), dns, dkim::sign(dkim::sign(dkim::kMessage)));
    for (const auto& [name, times] : dns.asked) EXPECT_EQ(times, 1) << name;
    Source bounded;
    const auto seen =
        outcome(*options("smtp.authentication_lookups = 10"), bounded, forged_signatures("b.test") + dkim::kMessage);
    EXPECT_LE(seen.findings.lookups, 10u);
}

TEST(Gate, CostlyChecksDoNotKeepThePolicyFromBeingFound) {
    Source dns;
    const auto seen = outcome(*options("smtp.authentication_lookups = 10"), dns,
                              forged_signatures("evil.test", 10) + from("sub.a.test"), "203.0.113.9", "x@evil.test");
    EXPECT_EQ(seen.findings.dmarc.verdict, dmarc::Verdict::Fail) << seen.findings.dmarc.reason;
    EXPECT_EQ(seen.decision.action, Decision::Action::Reject);
}

TEST(Gate, CostlyChecksDoNotKeepTheAuthorsKeyFromBeingFound) {
    Source dns;
    const auto message = forged_signatures("evil.test") + dkim::sign(dkim::kMessage);
    const auto seen = outcome(*options("smtp.authentication_lookups = 10"), dns, message, "203.0.113.9", "x@evil.test");
    EXPECT_EQ(seen.findings.dmarc.verdict, dmarc::Verdict::Pass) << seen.findings.dmarc.reason;
}

TEST(Gate, KeysOfTheAuthorAreAskedForBeforeOthers) {
    Source dns;
    const auto with = options();
    Check check(*with, {*Ip::parse("192.0.2.1"), "mx.a.test", "ann@a.test", "mx.here.test", dkim::kNow, 0}, dns);
    check.feed(forged_signatures("evil.test") + dkim::sign(dkim::kMessage));
    ASSERT_TRUE(dns.wait_for("s8._domainkey.evil.test"));
    const auto order = dns.order();
    const auto at = [&](const std::string& name) { return std::find(order.begin(), order.end(), name); };
    EXPECT_LT(at("e._domainkey.a.test"), at("s0._domainkey.evil.test"));
    EXPECT_LT(at("_dmarc.a.test"), at("e._domainkey.a.test"));
}

TEST(Gate, WhoLetsItsHeaderWaitDoesNotUseUpTheTimeOfItsQuestions) {
    Source dns;
    const auto with = options();
    Check check(*with, {*Ip::parse("203.0.113.9"), "mx.evil.test", "x@evil.test", "mx.here.test", dkim::kNow, 0}, dns);
    dns.is_late = true;
    check.feed(dkim::sign(dkim::kMessage));
    ASSERT_TRUE(dns.wait_for("e._domainkey.a.test"));
    EXPECT_EQ(check.finish().dmarc.verdict, dmarc::Verdict::Pass);
}

TEST(Gate, MailFromIsCheckedBeforeWhatDecidesNothing) {
    Source dns;
    const auto with = options();
    Check check(*with, {*Ip::parse("192.0.2.1"), "mx.a.test", "ann@a.test", "mx.here.test", dkim::kNow, 0}, dns);
    check.feed(from("b.test"));
    (void)check.finish();
    auto order = dns.order();
    std::erase_if(order, [](const auto& name) { return name != "a.test" && name != "mx.a.test" && name != "reverse"; });
    EXPECT_THAT(order, testing::ElementsAre("a.test", "mx.a.test", "reverse"));
}

TEST(Gate, WhereAPolicyIsAtStakeATemporaryErrorIsNeverAccepted) {
    Source dns;
    dns.add_failure("s0._domainkey.a.test", "TXT");
    const auto body_fits = text::replace_all(dkim::sign(from("a.test")), "s=e;", "s=s0;");
    const auto seen = outcome(*options(), dns, body_fits, "203.0.113.9", "x@evil.test");
    EXPECT_EQ(seen.findings.dmarc.verdict, dmarc::Verdict::TempError) << seen.findings.dmarc.reason;
    EXPECT_EQ(seen.decision.action, Decision::Action::Defer);
    const auto several = outcome("From: x@down.test, y@b.test\r\n\r\nHello\r\n", "203.0.113.9", "x@evil.test");
    EXPECT_EQ(several.decision.action, Decision::Action::Defer);
}

TEST(Gate, WhereTheForwarderCannotBeToldForNowMailIsDeferred) {
    auto message = text::replace_all(dkim::sign(dkim::kMessage), "Hello", "[list] Hello");
    arc::Sealer sealer({.timestamp_s = dkim::kNow});
    sealer.feed(message);
    auto with = dkim::keys().with(Algorithm::Ed25519Sha256);
    with.domain = "list.test";
    const auto fields = sealer.finish(with, "list.test; dmarc=pass header.from=a.test", arc::Status::None);
    ASSERT_TRUE(fields);
    const auto see = [&](const std::string& toml, const std::string& extra = "") {
        Source dns;
        dns.add_failure("e._domainkey.list.test", "TXT");
        dns.add_failure("203.0.113.9", "PTR");
        return outcome(*options(toml), dns, *fields + extra + message, "203.0.113.9", "bounce@list.test")
            .decision.action;
    };
    EXPECT_EQ(see(""), Decision::Action::Reject);
    EXPECT_EQ(see("arc.trusted_sealers = [\"list.test\"]"), Decision::Action::Defer);
    EXPECT_EQ(see("arc.trusted_sealers = [\"other.test\"]"), Decision::Action::Reject);
    EXPECT_EQ(see("arc.trusted_sealers = [\"list.test\"]", "From: x@a.test\r\n"), Decision::Action::Reject);
    EXPECT_EQ(see("dmarc.trusted_forwarders = [\"lists.test\"]"), Decision::Action::Defer);
    EXPECT_EQ(see("dmarc.trusted_forwarders = [\"198.51.100.0/24\"]"), Decision::Action::Reject);
}

TEST(Gate, ALenientAuthorDoesNotCoverOthersBesideIt) {
    const std::string lax = "[smtp.authentication_domains]\n\"lax.test\" = \"off\"\n";
    const auto see = [&](const std::string& header) {
        return outcome(header + "\r\n\r\nHello\r\n", "203.0.113.9", "x@evil.test", lax).decision;
    };
    EXPECT_EQ(see("From: x@lax.test").mode, Mode::Off);
    EXPECT_EQ(see("From: x@lax.test, y@a.test").action, Decision::Action::Reject);
    EXPECT_EQ(see("From: x@lax.test\r\nFrom: y@lax.test").action, Decision::Action::Quarantine);
    std::string many = "From: x@lax.test";
    for (int i = 0; i < 20; ++i) many += ", x@n" + std::to_string(i) + ".lax.test";
    EXPECT_EQ(see(many).action, Decision::Action::Reject);
    EXPECT_EQ(see("From: x@lax.test\r\nX-Pad: " + std::string(1 << 20, 'x')).action, Decision::Action::Reject);
}

TEST(Gate, AHeaderTooLargeToFindItsAuthorIsRefused) {
    std::string padding;
    while (padding.size() < 1'100'000) padding += "X-Padding: " + std::string(60, 'x') + "\r\n";
    const auto seen = outcome(padding + from("a.test"), "203.0.113.9", "x@evil.test");
    EXPECT_EQ(seen.findings.dmarc.verdict, dmarc::Verdict::PermError);
    EXPECT_EQ(seen.decision.action, Decision::Action::Reject);
    EXPECT_THAT(seen.decision.reply, HasSubstr("header"));
}

TEST(Gate, GivesDnsItsTimeAgainWhenTheBodyHasCome) {
    Source dns;
    const auto with = options("smtp.authentication_time = \"5s\"");
    Facts facts{*Ip::parse("192.0.2.1"), "mx.a.test", "ann@a.test", "mx.here.test", dkim::kNow, 50};
    Check check(*with, facts, dns);
    const auto first = dns.deadline;
    EXPECT_LE(first, std::chrono::steady_clock::now() + std::chrono::seconds(5));
    check.feed(dkim::kMessage);
    (void)check.finish();
    EXPECT_GT(dns.deadline, first);
    // All of the wait, a third of it for DMARC.
    EXPECT_LE(dns.deadline, std::chrono::steady_clock::now() + std::chrono::milliseconds(6667));
    const auto config = config::Config::parse("[smtp]\nauthentication_time = \"121s\"\n");
    EXPECT_FALSE(config);
}

TEST(Gate, PaddingTheHeaderDoesNotHideItsAuthor) {
    const auto seen =
        outcome("X-Pad: " + std::string(1 << 20, 'x') + "\r\n" + from("a.test"), "203.0.113.9", "x@evil.test");
    EXPECT_EQ(seen.decision.action, Decision::Action::Reject);
    EXPECT_EQ(seen.decision.reply, "the header is larger than 1048576 octets");
}

TEST(Gate, DoesNotDependOnHowTheMessageIsSplit) {
    const auto message = dkim::sign(dkim::kMessage);
    for (const std::size_t step : {1, 13, 100'000}) {
        Source dns;
        EXPECT_EQ(outcome(*options(), dns, message, "192.0.2.1", "ann@a.test", step).findings.dmarc.verdict,
                  dmarc::Verdict::Pass)
            << step;
    }
}

TEST(Gate, MessageThatBreaksOffIsForgotten) {
    Source dns;
    const auto with = options();
    Check check(*with, {*Ip::parse("192.0.2.1"), "mx.a.test", "ann@a.test", "mx.here.test", dkim::kNow, 0}, dns);
    check.feed("From: ann@a.te");
}

TEST(Gate, WhatWasFoundOfAClientServesItsNextMessage) {
    Source dns;
    const auto with = options();
    Facts facts{*Ip::parse("192.0.2.1"), "mx.a.test", "", "mx.here.test", dkim::kNow, 0};
    Check first(*with, facts, dns);
    first.feed(from("b.test"));
    const auto known = first.finish().client;
    EXPECT_EQ(known.helo.verdict, spf::Verdict::Pass);
    Check second(*with, facts, dns, known);
    second.feed(from("b.test"));
    const auto findings = second.finish();
    EXPECT_EQ(findings.mail_from.verdict, spf::Verdict::Pass);
    EXPECT_EQ(findings.mail_from.identity, spf::Identity::Helo);
    EXPECT_EQ(dns.asked["mx.a.test"], 1);
}

}  // namespace
}  // namespace gk::mailauth::gate
