// SPDX-License-Identifier: MIT
#include "common/queue/tls_outcome.hpp"

#include <gmock/gmock.h>
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/os/file.hpp"
#include "tests/unit/tls/test_ca.hpp"

namespace gk::queue {
namespace {

using namespace tlspolicy;
using smtp_client::TlsTrace;
using ::testing::HasSubstr;

HostPlan host(Demand demand, bool tested = false) {
    HostPlan plan;
    plan.host = "mx.b.test";
    plan.tlsa.base = "mx.b.test";
    plan.demand.demand = demand;
    plan.demand.is_tested = tested;
    plan.demand.policy = demand == Demand::Dane ? PolicyType::Tlsa : PolicyType::Sts;
    plan.demand.why = "the MTA-STS policy of b.test (mode enforce)";
    return plan;
}

TlsTrace trace(TlsTrace::Problem problem, tls::Trust trust = tls::Trust::Unchecked) {
    TlsTrace t;
    t.problem = problem;
    t.greeted = true;
    t.text = "what happened";
    if (problem == TlsTrace::Problem::None || problem == TlsTrace::Problem::Certificate) {
        t.info.version = "TLSv1.3";
        t.info.trust = trust;
        t.info.verified = trust == tls::Trust::Ok;
        t.info.verify_error = "why not";
    }
    return t;
}

TEST(TlsOutcome, EachFailureHasAResultTypeOfRfc8460) {
    const std::pair<tls::Trust, ResultType> trusts[] = {
        {tls::Trust::Expired, ResultType::CertificateExpired},
        {tls::Trust::WrongName, ResultType::CertificateHostMismatch},
        {tls::Trust::NotTrusted, ResultType::CertificateNotTrusted},
        {tls::Trust::NoTlsaMatch, ResultType::TlsaInvalid},
        {tls::Trust::Failed, ResultType::ValidationFailure},
    };
    for (const auto& [trust, type] : trusts) {
        const auto problem = tls_problem(host(Demand::Certificate), trace(TlsTrace::Problem::Certificate, trust));
        ASSERT_TRUE(problem);
        EXPECT_EQ(problem->type, type);
        EXPECT_EQ(problem->status, "4.7.5");
        EXPECT_THAT(problem->text, HasSubstr("the certificate of mx.b.test"));
    }
    for (const auto kind : {TlsTrace::Problem::NotOffered, TlsTrace::Problem::Refused}) {
        const auto problem = tls_problem(host(Demand::Encrypt), trace(kind));
        ASSERT_TRUE(problem);
        EXPECT_EQ(problem->type, ResultType::StarttlsNotSupported);
        EXPECT_EQ(problem->status, "4.7.10");
        EXPECT_THAT(problem->text, HasSubstr("demanded by the MTA-STS policy of b.test"));
    }
    EXPECT_EQ(tls_problem(host(Demand::Dane), trace(TlsTrace::Problem::Handshake))->type,
              ResultType::ValidationFailure);
}

TEST(TlsOutcome, ACertificateThatNobodyAskedForIsNoProblem) {
    EXPECT_FALSE(tls_problem(host(Demand::Opportunistic), trace(TlsTrace::Problem::None, tls::Trust::Expired)));
    EXPECT_FALSE(tls_problem(host(Demand::Encrypt), trace(TlsTrace::Problem::None, tls::Trust::NotTrusted)));
    EXPECT_FALSE(tls_problem(host(Demand::Plain), trace(TlsTrace::Problem::NotOffered)));
    EXPECT_FALSE(tls_problem(host(Demand::Dane), trace(TlsTrace::Problem::None, tls::Trust::Ok)));
}

TEST(TlsOutcome, ATestedPolicyIsReportedAndNotFatal) {
    const auto tested = host(Demand::Opportunistic, true);
    const auto problem = tls_problem(tested, trace(TlsTrace::Problem::None, tls::Trust::Expired));
    ASSERT_TRUE(problem);
    EXPECT_EQ(problem->type, ResultType::CertificateExpired);
    EXPECT_FALSE(is_fatal(tested.demand));
}

TEST(TlsOutcome, NamesTheDateAndTheHostsOfTheCertificate) {
    const auto expired = testing::make_certificate("x", {"mx.b.test"}, nullptr, -86400, -3600);
    auto t = trace(TlsTrace::Problem::Certificate, tls::Trust::Expired);
    t.chain = {expired.der()};
    EXPECT_THAT(tls_problem(host(Demand::Certificate), t)->text, HasSubstr("expired at 20"));
    t.info.trust = tls::Trust::WrongName;
    EXPECT_THAT(tls_problem(host(Demand::Certificate), t)->text, HasSubstr("names mx.b.test"));
}

TEST(TlsOutcome, IsCountedWithThePolicyAndItsLines) {
    char name[] = "/tmp/gk-unit-tlsrpt-XXXXXX";
    const std::string dir = ::mkdtemp(name);
    DomainPlan plan;
    plan.domain = "b.test";
    auto dane = host(Demand::Dane);
    dane.tlsa.found = {{3, 1, 1, std::string(32, '\x01')}};
    const auto t = trace(TlsTrace::Problem::None, tls::Trust::Ok);
    observe(dir, plan, &dane, {}, {"mx.b.test", "192.0.2.1", "192.0.2.9"}, &t);
    plan.is_report = true;
    auto sts = host(Demand::Certificate);
    plan.sts.entry =
        StsEntry{"b.test", "1", now(), now() + std::chrono::hours(1), {StsMode::Enforce, 3600, {"*.b.test"}}};
    observe(dir, plan, &sts, Problem{ResultType::CertificateExpired, "4.7.5", "it expired", "code"},
            {"mx.b.test", "192.0.2.1", ""}, &t);
    std::vector<reports::TlsObservation> seen;
    const auto files = reports::day_files(dir, reports::Kind::Tls);
    ASSERT_TRUE(files);
    for (const auto& file : *files)
        ASSERT_TRUE(reports::read_tls(file.path, [&](reports::TlsObservation o) -> Status {
            seen.push_back(std::move(o));
            return ok();
        }));
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_FALSE(seen[0].is_report);
    EXPECT_TRUE(seen[1].is_report) << "a report must not give rise to the next";
    EXPECT_EQ(seen[0].result, "success");
    EXPECT_EQ(seen[0].policy_type, "tlsa");
    EXPECT_EQ(seen[0].policy, (std::vector<std::string>{"3 1 1 " + text::to_hex(std::string(32, '\x01'))}));
    EXPECT_EQ(seen[0].sending_ip, "192.0.2.9");
    EXPECT_EQ(seen[1].result, "certificate-expired");
    EXPECT_EQ(seen[1].policy_type, "sts");
    EXPECT_EQ(seen[1].mx_patterns, (std::vector<std::string>{"*.b.test"}));
    EXPECT_EQ(seen[1].policy.front(), "version: STSv1");
    EXPECT_EQ(seen[1].reason_code, "code");
    EXPECT_EQ(seen[1].additional, "it expired");
    (void)os::remove_tree(dir);
}

}  // namespace
}  // namespace gk::queue
