// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "common/mailauth/arc/seal.hpp"
#include "common/mailauth/arc/trust.hpp"
#include "common/mailauth/arc/validate.hpp"
#include "common/mailauth/authres/authres.hpp"
#include "tests/unit/mailauth/dkim_fixture.hpp"

namespace gk::mailauth::arc {
namespace {

using dkim::keys;
using dkim::kMessage;
using dkim::kNow;

// Counts, so that a test can say what a chain costs.
class CountingSource : public DnsTable {
public:
    CountingSource() : DnsTable(keys().dns) {}
    Lookup<std::string> txt(std::string_view name) override {
        ++asked;
        return DnsTable::txt(name);
    }
    int asked = 0;
};

Chain validate(std::string_view message, DnsSource& dns, const Limits& limits = {}, std::size_t step = 1 << 20) {
    Validator validator(kNow, limits);
    for (std::size_t at = 0; at < message.size(); at += step) validator.feed(message.substr(at, step));
    return validator.finish(dns);
}
Chain validate(std::string_view message) {
    CountingSource dns;
    return validate(message, dns);
}

std::string seal(std::string_view message, Status cv,
                 const std::string& payload = "mx.a.test; dmarc=pass header.from=a.test",
                 dkim::SignWith with = keys().with(Algorithm::Ed25519Sha256), std::int64_t when = kNow) {
    Sealer sealer({.timestamp_s = when});
    sealer.feed(message);
    auto fields = sealer.finish(with, payload, cv);
    return fields ? *fields + std::string(message) : "error: " + fields.error().text;
}

std::string chain_of(unsigned sets, std::string message = kMessage) {
    for (unsigned i = 1; i <= sets; ++i)
        message = seal(message, i == 1 ? Status::None : Status::Pass, "mx.a.test; spf=pass",
                       keys().with(i % 2 ? Algorithm::Ed25519Sha256 : Algorithm::RsaSha256));
    return message;
}

TEST(ArcChain, OfAMessageWithoutSetsIsNone) {
    const auto chain = validate(kMessage);
    EXPECT_EQ(chain.status, Status::None);
    EXPECT_TRUE(chain.links.empty());
}

TEST(ArcChain, OfOneAndOfFiftySetsPasses) {
    for (const unsigned sets : {1u, 2u, 3u, 50u}) {
        const auto chain = validate(chain_of(sets));
        EXPECT_EQ(chain.status, Status::Pass) << sets << ": " << chain.reason;
        EXPECT_EQ(chain.links.size(), sets);
        EXPECT_EQ(chain.oldest_pass, 0u);
    }
}

TEST(ArcChain, DoesNotDependOnHowBytesAreSplitOrHowLinesEnd) {
    const auto message = chain_of(3);
    CountingSource dns;
    for (const std::size_t step : {1, 7, 100}) EXPECT_EQ(validate(message, dns, {}, step).status, Status::Pass) << step;
    EXPECT_EQ(validate(text::replace_all(message, "\r\n", "\n")).status, Status::Pass);
}

TEST(ArcChain, OfTheExampleInRfc8617IsReadWhole) {
    auto bytes = os::read_file(spf::source_directory() + "/tests/data/arc/rfc8617-b.eml");
    ASSERT_TRUE(bytes);
    const auto message = dkim::crlf(*bytes);
    const HeaderFields fields(std::string_view(message).substr(0, message.find("\r\n\r\n") + 2));
    const auto sets = find_sets(fields);
    ASSERT_EQ(sets.status, Status::Pass) << sets.reason;
    ASSERT_EQ(sets.sets.size(), 3u);
    const char* domains[] = {"lists.example.org", "gmail.example", "clochette.example.org"};
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(sets.sets[i].seal_signature.domain, domains[i]);
        EXPECT_EQ(sets.sets[i].message_signature.domain, domains[i]);
        EXPECT_EQ(sets.sets[i].cv, i == 0 ? Status::None : Status::Pass);
        const auto results = authres::parse(sets.sets[i].payload);
        ASSERT_TRUE(results) << results.error().text;
        EXPECT_EQ(results->id, domains[i]);
        BodyHashes bodies;
        bodies.add(sets.sets[i].message_signature.body_canon);
        bodies.feed("Hey gang,\r\nThis is a test message.\r\n--J.\r\n");
        bodies.finish();
        EXPECT_EQ(bodies.of(0).digest, sets.sets[i].message_signature.body_hash) << i;
    }
    // Nobody publishes its keys.
    const auto chain = validate(message);
    EXPECT_EQ(chain.status, Status::Fail);
    EXPECT_EQ(chain.reason, "ARC-Message-Signature i=3: no key at clochette._domainkey.clochette.example.org");
}

// RFC 8617, 5.2, step 1.
TEST(ArcChain, OfMoreThanFiftySetsFailsWithoutAQuestionToDns) {
    std::string many;
    for (int i = 1; i <= 1000; ++i) {
        const auto n = std::to_string(i);
        many += "ARC-Seal: i=" + n + "; a=rsa-sha256; cv=pass; d=a.test; s=s" + n + "; b=AAAA\r\n";
        many += "ARC-Message-Signature: i=" + n + "; a=rsa-sha256; d=a.test; s=s" + n + "; h=from; bh=AAAA; b=AAAA\r\n";
        many += "ARC-Authentication-Results: i=" + n + "; a.test; none\r\n";
    }
    CountingSource dns;
    const auto chain = validate(many + kMessage, dns);
    EXPECT_EQ(chain.status, Status::Fail);
    EXPECT_EQ(chain.reason, "more than 50 sets");
    EXPECT_EQ(dns.asked, 0);
}

TEST(ArcChain, OfFiftySetsAsksForEachKeyOnce) {
    CountingSource dns;
    EXPECT_EQ(validate(chain_of(50), dns).status, Status::Pass);
    EXPECT_EQ(dns.asked, 2);
}

// 5.2, step 3 A and B.
TEST(ArcChain, WithAFieldMissingTwiceOrOutOfSequenceFails) {
    const auto good = chain_of(2);
    const auto without = [&](const std::string& field) {
        const auto begin = good.find(field);
        auto end = good.find("\r\n", begin) + 2;
        while (good[end] == '\t' || good[end] == ' ') end = good.find("\r\n", end) + 2;
        return good.substr(0, begin) + good.substr(end);
    };
    const auto twice = [&](const std::string& field) {
        const auto begin = good.find(field);
        auto end = good.find("\r\n", begin) + 2;
        while (good[end] == '\t' || good[end] == ' ') end = good.find("\r\n", end) + 2;
        return good.substr(begin, end - begin) + good;
    };
    for (const char* name :
         {"ARC-Seal: i=1", "ARC-Seal: i=2", "ARC-Message-Signature: i=1", "ARC-Message-Signature: i=2",
          "ARC-Authentication-Results: i=1", "ARC-Authentication-Results: i=2"}) {
        EXPECT_EQ(validate(without(name)).status, Status::Fail) << name;
        EXPECT_EQ(validate(twice(name)).status, Status::Fail) << name;
    }
    for (const char* to : {"i=0", "i=3", "i=51", "i=100", "i=x", "i=-1", "i=01x", "j=1", "i="}) {
        for (const char* name : {"ARC-Seal: ", "ARC-Message-Signature: ", "ARC-Authentication-Results: "}) {
            const auto broken = text::replace_all(good, std::string(name) + "i=1", std::string(name) + to);
            EXPECT_EQ(validate(broken).status, Status::Fail) << name << to;
        }
    }
    // The oldest set taken away: what is left does not begin with 1.
    EXPECT_EQ(validate(text::replace_all(text::replace_all(good, "i=1;", "i=3;"), "cv=none", "cv=pass")).status,
              Status::Fail);
}

// 5.2, steps 2 and 3 C.
TEST(ArcChain, WithAWrongCvFails) {
    const auto one = chain_of(1), two = chain_of(2);
    EXPECT_EQ(validate(text::replace_all(one, "cv=none", "cv=pass")).reason, "ARC-Seal i=1 says cv=pass");
    EXPECT_EQ(validate(text::replace_all(one, "cv=none", "cv=fail")).reason, "ARC-Seal i=1 says cv=fail");
    EXPECT_EQ(validate(text::replace_all(two, "cv=pass", "cv=none")).reason, "ARC-Seal i=2 says cv=none");
    EXPECT_EQ(validate(text::replace_all(two, "cv=pass", "cv=fail")).reason, "ARC-Seal i=2 says cv=fail");
    EXPECT_EQ(validate(text::replace_all(two, "cv=pass;", "")).status, Status::Fail);
    EXPECT_EQ(validate(text::replace_all(two, "cv=pass", "cv=good")).status, Status::Fail);
}

// 5.2, steps 4 to 6.
TEST(ArcChain, PassesOnWhatAForwarderChangedAndSealedAnew) {
    auto changed = text::replace_all(chain_of(1), "Hello", "Hallo");
    EXPECT_EQ(validate(changed).reason, "ARC-Message-Signature i=1: the body was changed");
    // The forwarder saw the chain pass, changed the body, and sealed.
    changed = seal(text::replace_all(chain_of(1), "Hello", "Hallo"), Status::Pass);
    const auto chain = validate(changed);
    EXPECT_EQ(chain.status, Status::Pass) << chain.reason;
    EXPECT_EQ(chain.oldest_pass, 2u);
    EXPECT_EQ(validate(text::replace_all(changed, "Hallo", "Hullo")).status, Status::Fail);
}

TEST(ArcChain, FailsWhereAnyFieldOfAnySetIsChanged) {
    const auto good = chain_of(3);
    for (const char* each : {"ARC-Authentication-Results: i=1; mx.a.test; spf=pass",
                             "ARC-Authentication-Results: i=2; mx.a.test; spf=pass",
                             "ARC-Authentication-Results: i=3; mx.a.test; spf=pass"}) {
        const auto to = text::replace_all(each, "spf=pass", "spf=fail");
        const auto chain = validate(text::replace_all(good, each, to));
        EXPECT_EQ(chain.status, Status::Fail) << each;
        EXPECT_NE(chain.reason.find("ARC-Seal"), std::string::npos) << chain.reason;
    }
    // t= of each seal and of each message signature.
    for (std::size_t at = good.find("t=1790000000"); at != std::string::npos; at = good.find("t=1790000000", at + 1)) {
        auto broken = good;
        broken[at + 11] = '1';
        EXPECT_EQ(validate(broken).status, Status::Fail) << at;
    }
    EXPECT_EQ(validate(text::replace_all(good, "Subject:  folded", "Subject: other")).status, Status::Fail);
    EXPECT_EQ(validate("X-Added: 1\r\n" + good).status, Status::Pass);
}

TEST(ArcChain, RefusesWeakKeysOldAlgorithmsAndWhatCoversTooLittle) {
    const auto good = chain_of(1);
    EXPECT_EQ(validate(text::replace_all(good, "a=ed25519-sha256", "a=rsa-sha1")).status, Status::Fail);
    EXPECT_EQ(validate(text::replace_all(good, "h=from:", "h=from:arc-seal:")).reason,
              "ARC-Message-Signature: h= covers ARC-Seal");
    EXPECT_EQ(validate(text::replace_all(good, "h=from:from:", "h=")).reason,
              "ARC-Message-Signature: h= does not cover From");
    EXPECT_EQ(validate(text::replace_all(good, "cv=none;", "cv=none; h=from;")).reason, "ARC-Seal: a seal with h=");
    CountingSource dns;
    Limits limits;
    limits.keys.least_rsa_bits = 2048;
    EXPECT_NE(validate(chain_of(2), dns, limits).reason.find("a key of 1024 bits"), std::string::npos);
}

TEST(ArcChain, RefusesSignaturesFromTheFuture) {
    const auto with = keys().with(Algorithm::Ed25519Sha256);
    EXPECT_EQ(validate(seal(kMessage, Status::None, "a.test; none", with, kNow + 200)).status, Status::Pass);
    EXPECT_EQ(validate(seal(kMessage, Status::None, "a.test; none", with, kNow + 1000)).status, Status::Fail);
}

TEST(ArcChain, WhoseKeyCannotBeFetchedFailsForNow) {
    DnsTable down;
    down.add_failure("e._domainkey.a.test", "TXT");
    const auto chain = validate(chain_of(1), down);
    EXPECT_EQ(chain.status, Status::Fail);
    EXPECT_TRUE(chain.temporary);
    DnsTable empty;
    EXPECT_FALSE(validate(chain_of(1), empty).temporary);
}

TEST(ArcSealer, RefusesAChainThatHasEndedOrIsFull) {
    EXPECT_EQ(seal(chain_of(50), Status::Pass), "error: the chain has 50 sets");
    const auto failed = seal(text::replace_all(chain_of(1), "Hello", "Hallo"), Status::Fail);
    EXPECT_EQ(validate(failed).reason, "ARC-Seal i=2 says cv=fail");
    EXPECT_EQ(seal(failed, Status::Fail), "error: the chain has ended with cv=fail");
}

// 5.1.2: the seal of a chain that has failed covers its own set, so that it can be checked all the same.
TEST(ArcSealer, SealOfAFailedChainCoversItsOwnSetAlone) {
    const auto failed = seal(text::replace_all(chain_of(1), "Hello", "Hallo"), Status::Fail);
    const HeaderFields fields(std::string_view(failed).substr(0, failed.find("\r\n\r\n") + 2));
    const auto field = [&](const char* name) { return fields.all()[fields.named(name)->front()]; };
    SealDigest digest;
    digest.add(field("arc-authentication-results").whole);
    digest.add(field("arc-message-signature").whole);
    const auto signature = dkim::parse_signature(field("arc-seal").value, dkim::SignatureKind::ArcSeal);
    ASSERT_TRUE(signature);
    dkim::KeyRing ring({});
    DnsTable dns = keys().dns;
    EXPECT_EQ(ring.check(*signature, digest.with(dkim::without_signature(field("arc-seal").whole)), dns).verdict,
              dkim::Verdict::Pass);
}

TEST(ArcSealer, WantsACvThatGoesWithTheMessage) {
    EXPECT_NE(seal(kMessage, Status::Pass).find("error: cv=pass"), std::string::npos);
    EXPECT_NE(seal(chain_of(1), Status::None).find("error: cv=none"), std::string::npos);
    EXPECT_NE(seal("Subject: x\r\n\r\nbody\r\n", Status::None).find("no From field"), std::string::npos);
    EXPECT_NE(seal("ARC-Seal: i=1; cv=none\r\n" + kMessage, Status::Pass).find("error: cv=pass"), std::string::npos);
}

TEST(ArcTrust, TakesTheWordOfTrustedSealersFromTheNewestDownToTheFirstStranger) {
    Chain chain;
    chain.status = Status::Pass;
    const auto link = [](const std::string& domain, const std::string& payload) {
        return Link{domain, "s", domain, payload};
    };
    const std::string pass = "x; dmarc=pass (p=reject) header.from=a.test", fail = "x; dmarc=fail header.from=a.test";
    chain.links = {link("lists.b.test", pass), link("mx.c.test", fail)};
    EXPECT_FALSE(trusted_pass(chain, {}, "a.test"));
    EXPECT_FALSE(trusted_pass(chain, {"b.test"}, "a.test"));  // mx.c.test may have written all of it
    ASSERT_TRUE(trusted_pass(chain, {"b.test", "c.test"}, "A.test"));
    EXPECT_EQ(trusted_pass(chain, {"b.test", "c.test"}, "a.test")->domain, "lists.b.test");
    EXPECT_EQ(trusted_pass(chain, {"b.test", "c.test"}, "a.test")->instance, 1u);
    EXPECT_FALSE(trusted_pass(chain, {"b.test", "c.test"}, "other.test"));
    chain.links = {link("evil.test", pass), link("b.test", pass)};
    EXPECT_EQ(trusted_pass(chain, {"b.test"}, "a.test")->instance, 2u);
    chain.links[1].payload = fail;
    EXPECT_FALSE(trusted_pass(chain, {"b.test"}, "a.test"));
    chain.links[1].payload = pass;
    chain.status = Status::Fail;
    EXPECT_FALSE(trusted_pass(chain, {"b.test"}, "a.test"));
}

}  // namespace
}  // namespace gk::mailauth::arc
