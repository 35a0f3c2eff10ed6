// SPDX-License-Identifier: MIT
#include "common/tls/certificate.hpp"

#include <sys/socket.h>
#include <thread>

#include "common/base/ids.hpp"
#include "common/os/file.hpp"
#include "tests/unit/tls/test_ca.hpp"

using namespace gk;
using namespace gk::tls;
using namespace std::chrono_literals;
using gk::testing::make_certificate;
using gk::testing::TestCertificate;

namespace {

// An authority, and certificates of its own making.
struct World {
    TestCertificate root = make_certificate("Test root", {}, nullptr);
    TestCertificate middle = make_certificate("Test intermediate", {}, &root);
    TestCertificate leaf = make_certificate("mx.b.test", {"mx.b.test", "*.wild.test"}, &middle);
    TestCertificate expired = make_certificate("mx.b.test", {"mx.b.test"}, &middle, -86400, -3600);
    TestCertificate lonely = make_certificate("whoever", {"elsewhere.test"}, nullptr, -86400, -3600);
    std::string dir = ::testing::TempDir() + new_id();
    std::shared_ptr<ClientContext> context;

    World() {
        EXPECT_TRUE(os::make_directories(dir));
        EXPECT_TRUE(os::replace_file(dir + "/root.pem", root.certificate_pem()));
        context = ClientContext::create({ClientContext::Verify::Opportunistic, dir + "/root.pem"}).value();
    }
    ~World() { (void)os::remove_tree(dir); }

    Trust verify(const std::vector<const TestCertificate*>& chain, const Peer& peer) const {
        std::vector<std::string> ders;
        for (const auto* each : chain) ders.push_back(each->der());
        const auto verdict = verify_chain(*context, ders, peer);
        EXPECT_TRUE(verdict) << verdict.error().text;
        return verdict ? verdict->trust : Trust::Failed;
    }
};

Tlsa tlsa(int usage, int selector, int matching, const TestCertificate& of) {
    return make_tlsa(of.der(), static_cast<std::uint8_t>(usage), static_cast<std::uint8_t>(selector),
                     static_cast<std::uint8_t>(matching))
        .value();
}

Peer dane(std::vector<Tlsa> records, std::vector<std::string> names = {}) {
    Peer peer("mx.b.test");
    peer.names = std::move(names);
    peer.tlsa = std::move(records);
    return peer;
}

}  // namespace

TEST(TlsCertificate, DaneEeTakesAnyNameAndDateOfTheRightKey) {
    const World w;
    for (int selector = 0; selector < 2; ++selector)
        for (int matching = 0; matching < 3; ++matching)
            EXPECT_EQ(w.verify({&w.lonely}, dane({tlsa(3, selector, matching, w.lonely)})), Trust::Ok)
                << selector << ' ' << matching;
    EXPECT_EQ(w.verify({&w.leaf, &w.middle}, dane({tlsa(3, 1, 1, w.leaf)})), Trust::Ok);
}

TEST(TlsCertificate, ATrustedCertificateDoesNotMakeUpForAWrongTlsaRecord) {
    const World w;
    EXPECT_EQ(w.verify({&w.leaf, &w.middle}, dane({tlsa(3, 1, 1, w.lonely)})), Trust::NoTlsaMatch);
}

TEST(TlsCertificate, DaneTaWantsChainNameAndDate) {
    const World w;
    for (int matching = 0; matching < 3; ++matching) {
        EXPECT_EQ(w.verify({&w.leaf, &w.middle}, dane({tlsa(2, 0, matching, w.middle)})), Trust::Ok);
        EXPECT_EQ(w.verify({&w.leaf, &w.middle, &w.root}, dane({tlsa(2, 1, matching, w.root)})), Trust::Ok);
    }
    EXPECT_EQ(w.verify({&w.expired, &w.middle}, dane({tlsa(2, 1, 1, w.middle)})), Trust::Expired);
    Peer other = dane({tlsa(2, 1, 1, w.middle)});
    other.server_name = "mx2.b.test";
    EXPECT_EQ(w.verify({&w.leaf, &w.middle}, other), Trust::WrongName);
    // The digest of an authority that the server does not show finds nothing; its whole certificate does.
    EXPECT_NE(w.verify({&w.leaf}, dane({tlsa(2, 0, 1, w.middle)})), Trust::Ok);
    EXPECT_EQ(w.verify({&w.leaf}, dane({tlsa(2, 0, 0, w.middle)})), Trust::Ok);
}

TEST(TlsCertificate, DaneTaTakesTheNextHopDomainAsAName) {
    const World w;
    const auto by_domain = make_certificate("x", {"b.test"}, &w.middle);
    EXPECT_EQ(w.verify({&by_domain, &w.middle}, dane({tlsa(2, 1, 1, w.middle)}, {"b.test"})), Trust::Ok);
    EXPECT_EQ(w.verify({&by_domain, &w.middle}, dane({tlsa(2, 1, 1, w.middle)})), Trust::WrongName);
}

TEST(TlsCertificate, OneMatchingRecordAmongOthersIsEnough) {
    const World w;
    EXPECT_EQ(w.verify({&w.leaf, &w.middle}, dane({tlsa(3, 1, 1, w.lonely), tlsa(3, 1, 1, w.leaf)})), Trust::Ok);
}

TEST(TlsCertificate, TheStrongestDigestOfAUsageAndSelectorCountsAlone) {
    // RFC 7671, 9: who adds SHA2-512 must get it right.
    const World w;
    EXPECT_EQ(w.verify({&w.leaf, &w.middle}, dane({tlsa(3, 1, 2, w.lonely), tlsa(3, 1, 1, w.leaf)})),
              Trust::NoTlsaMatch);
    EXPECT_EQ(w.verify({&w.leaf, &w.middle}, dane({tlsa(3, 1, 2, w.lonely), tlsa(3, 0, 1, w.leaf)})), Trust::Ok);
}

TEST(TlsCertificate, PkixUsagesAreNoRecordsForMail) {
    const World w;
    const std::vector<std::string> chain = {w.leaf.der(), w.middle.der()};
    const auto verdict = verify_chain(*w.context, chain, dane({tlsa(1, 1, 1, w.leaf), tlsa(0, 1, 1, w.middle)}));
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().code, Errc::BadInput);
    EXPECT_EQ(w.verify({&w.lonely}, dane({tlsa(1, 1, 1, w.leaf), tlsa(3, 1, 1, w.lonely)})), Trust::Ok);
}

TEST(TlsCertificate, WithoutDaneChainNameAndDateMustHold) {
    const World w;
    EXPECT_EQ(w.verify({&w.leaf, &w.middle}, "mx.b.test"), Trust::Ok);
    EXPECT_EQ(w.verify({&w.leaf, &w.middle}, "mx.wild.test"), Trust::Ok);
    EXPECT_EQ(w.verify({&w.leaf, &w.middle}, "a.mx.wild.test"), Trust::WrongName);
    EXPECT_EQ(w.verify({&w.leaf, &w.middle}, "mx.c.test"), Trust::WrongName);
    EXPECT_EQ(w.verify({&w.expired, &w.middle}, "mx.b.test"), Trust::Expired);
    EXPECT_EQ(w.verify({&w.leaf}, "mx.b.test"), Trust::NotTrusted);
    EXPECT_EQ(w.verify({&w.lonely}, "elsewhere.test"), Trust::NotTrusted);
}

TEST(TlsCertificate, TheCommonNameIsNoName) {
    const World w;
    const auto old = make_certificate("mx.b.test", {"other.test"}, &w.middle);
    EXPECT_EQ(w.verify({&old, &w.middle}, "mx.b.test"), Trust::WrongName);
}

TEST(TlsCertificate, SaysWhatIsInACertificate) {
    const World w;
    const auto facts = read_certificate(w.leaf.der());
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->subject, "CN=mx.b.test");
    EXPECT_EQ(facts->issuer, "CN=Test intermediate");
    EXPECT_EQ(facts->names, (std::vector<std::string>{"mx.b.test", "*.wild.test"}));
    EXPECT_LT(facts->not_before, now());
    EXPECT_GT(facts->not_after, now());
    EXPECT_FALSE(read_certificate("nothing"));
    EXPECT_FALSE(make_tlsa("nothing", 3, 1, 1));
    EXPECT_FALSE(make_tlsa(w.leaf.der(), 3, 2, 1));
}

TEST(TlsCertificate, AChainIsReadFromPemAndMatchesItsRecords) {
    const World w;
    ASSERT_TRUE(os::replace_file(w.dir + "/chain.pem", w.leaf.certificate_pem() + w.middle.certificate_pem()));
    const auto chain = read_chain(w.dir + "/chain.pem");
    ASSERT_TRUE(chain);
    ASSERT_EQ(chain->size(), 2u);
    EXPECT_TRUE(matches(tlsa(3, 1, 1, w.leaf), chain->front()));
    EXPECT_FALSE(matches(tlsa(3, 1, 1, w.leaf), chain->back()));
    EXPECT_EQ(format_tlsa({3, 1, 1, "\xab\x01"}), "3 1 1 ab01");
    ASSERT_TRUE(os::replace_file(w.dir + "/none.pem", "hello"));
    EXPECT_EQ(read_chain(w.dir + "/none.pem").error().code, Errc::BadInput);
}

TEST(TlsCertificate, AHandshakeChecksTheRecordsAndASessionProvesNothingToAnotherPolicy) {
    const World w;
    ASSERT_TRUE(os::replace_file(w.dir + "/s.pem", w.lonely.certificate_pem()));
    ASSERT_TRUE(os::replace_file(w.dir + "/s.key", w.lonely.key_pem()));
    const auto server = ServerContext::create({{{w.dir + "/s.pem", w.dir + "/s.key"}}}).value();
    const auto shake = [&](const Peer& peer) {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        std::thread accepting([&] {
            auto end = accept(std::make_unique<net::SocketStream>(os::Fd(fds[1])), *server, 5s);
            if (end) (void)(*end)->write_all("hi", 5s);
        });
        auto end = connect(std::make_unique<net::SocketStream>(os::Fd(fds[0])), *w.context, peer, 5s);
        EXPECT_TRUE(end) << end.error().text;
        char buffer[8];
        EXPECT_TRUE(end && (*end)->read_some(buffer, 5s));
        accepting.join();
        return end ? (*end)->info() : Info{};
    };
    const Peer right = dane({tlsa(3, 1, 1, w.lonely)}), wrong = dane({tlsa(3, 1, 1, w.leaf)});
    EXPECT_TRUE(shake(right).verified);
    for (int i = 0; i < 2; ++i) {
        const auto info = shake(wrong);
        EXPECT_FALSE(info.verified);
        EXPECT_EQ(info.trust, Trust::NoTlsaMatch);
        EXPECT_EQ(shake("mx.b.test").trust, Trust::NotTrusted);
    }
    const auto again = shake(right);
    EXPECT_TRUE(again.resumed);
    EXPECT_TRUE(again.verified);
}
