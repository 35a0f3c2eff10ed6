// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <cstdlib>

#include "common/os/file.hpp"
#include "common/smtp_client/session.hpp"
#include "common/tls/certificate.hpp"
#include "tests/unit/smtp_client/scripted_peer.hpp"

namespace gk::smtp_client {
namespace {

using testing::Behaviour;
using testing::ScriptedPeer;
using Problem = TlsTrace::Problem;

// A server's certificate, and the record that is right for it.
struct Server {
    Server() {
        char name[] = "/tmp/gk-unit-verified-XXXXXX";
        const std::string dir = ::mkdtemp(name);
        EXPECT_TRUE(tls::make_self_signed("peer.test", {}, dir + "/c", dir + "/k"));
        context = tls::ServerContext::create({{{dir + "/c", dir + "/k"}}}).value();
        right = tls::make_tlsa(tls::read_chain(dir + "/c")->front(), 3, 1, 1).value();
        (void)os::remove_tree(dir);
    }
    Behaviour behaviour(bool offers = true) const {
        Behaviour b;
        if (offers) b.ehlo.push_back("STARTTLS");
        b.ehlo.push_back("REQUIRETLS");
        b.tls = context;
        return b;
    }
    std::shared_ptr<tls::ServerContext> context;
    tls::Tlsa right;
};

Options options(TlsPolicy policy, const tls::Tlsa& record) {
    Options o;
    o.tls = policy;
    o.tls_context = *tls::ClientContext::create({});
    o.peer = "peer.test";
    o.peer.tlsa = {record};
    o.timeouts.command = o.timeouts.handshake = milliseconds(1500);
    return o;
}

Result<std::unique_ptr<Session>> open(ScriptedPeer& peer, const Options& o, TlsTrace& trace) {
    return Session::open([&] { return net::connect_tcp("127.0.0.1", peer.port(), milliseconds(1000)); }, o, &trace);
}

TEST(SmtpVerified, ARecordThatMatchesOpensTheSession) {
    const Server server;
    ScriptedPeer peer([&](int) { return server.behaviour(); });
    TlsTrace trace;
    const auto session = open(peer, options(TlsPolicy::Verified, server.right), trace);
    ASSERT_TRUE(session) << session.error().text;
    EXPECT_EQ(trace.problem, Problem::None);
    EXPECT_TRUE(trace.info.verified);
    EXPECT_EQ(trace.chain.size(), 1u);
    EXPECT_EQ(trace.helo, "peer.test");
}

TEST(SmtpVerified, OneThatDoesNotEndsItBeforeAnotherWordIsSaid) {
    const Server server;
    ScriptedPeer peer([&](int) { return server.behaviour(); });
    auto wrong = server.right;
    wrong.data[0] ^= 1;
    TlsTrace trace;
    EXPECT_FALSE(open(peer, options(TlsPolicy::Verified, wrong), trace));
    EXPECT_EQ(trace.problem, Problem::Certificate);
    EXPECT_EQ(trace.info.trust, tls::Trust::NoTlsaMatch);
    peer.stop();
    EXPECT_EQ(peer.commands(), (std::vector<std::string>{"EHLO localhost", "STARTTLS"}));
}

TEST(SmtpVerified, SaysHowFarItCame) {
    const Server server;
    const auto trace_of = [&](TlsPolicy policy, const Behaviour& behaviour) {
        ScriptedPeer peer([&](int) { return behaviour; });
        TlsTrace trace;
        EXPECT_EQ(open(peer, options(policy, server.right), trace).has_value(), policy == TlsPolicy::Opportunistic);
        return trace;
    };
    auto refusing = server.behaviour(), broken = server.behaviour();
    refusing.replies["STARTTLS"] = "502 5.5.1 no\r\n";
    broken.break_tls = true;
    for (const auto policy : {TlsPolicy::Opportunistic, TlsPolicy::Required, TlsPolicy::Verified}) {
        EXPECT_EQ(trace_of(policy, server.behaviour(false)).problem, Problem::NotOffered);
        EXPECT_EQ(trace_of(policy, refusing).problem, Problem::Refused);
        EXPECT_EQ(trace_of(policy, broken).problem, Problem::Handshake);
    }
    auto away = server.behaviour();
    away.greeting = "554 5.7.1 go away\r\n";
    const auto trace = trace_of(TlsPolicy::Verified, away);
    EXPECT_EQ(trace.problem, Problem::None);
    EXPECT_FALSE(trace.greeted);
}

TEST(SmtpVerified, RequireTlsIsSaidOnMail) {
    const Server server;
    ScriptedPeer peer([&](int) { return server.behaviour(); });
    TlsTrace trace;
    auto session = open(peer, options(TlsPolicy::Verified, server.right), trace);
    ASSERT_TRUE(session);
    EXPECT_TRUE((*session)->capabilities().requiretls);
    Transaction t;
    t.reverse_path = "a@a.test";
    t.recipients = {{"b@b.test", "", ""}};
    t.require_tls = true;
    const std::string message = "Subject: hi\r\n\r\n";
    t.size = message.size();
    const auto outcome = (*session)->send(t, [&](std::uint64_t offset, std::size_t count) -> Result<std::string> {
        return offset >= message.size() ? "" : message.substr(offset, count);
    });
    EXPECT_EQ(outcome.verdicts[0].kind, Verdict::Kind::Delivered);
    (*session)->quit();
    peer.stop();
    ASSERT_EQ(peer.received().size(), 1u);
    EXPECT_THAT(peer.received()[0].mail, ::testing::HasSubstr(" REQUIRETLS"));
}

}  // namespace
}  // namespace gk::smtp_client
