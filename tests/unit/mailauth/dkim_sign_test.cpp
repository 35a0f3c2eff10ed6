// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/mailauth/dkim_fixture.hpp"

namespace gk::mailauth::dkim {
namespace {

std::string body(std::string_view bytes, Canon canon, std::size_t step = std::string_view::npos) {
    BodyCanonicaliser canonicaliser(canon);
    std::string out;
    const auto sink = [&](std::string_view piece) { out += piece; };
    for (std::size_t at = 0; at < bytes.size(); at += bytes.substr(at, step).size())
        canonicaliser.feed(bytes.substr(at, step), sink);
    canonicaliser.finish(sink);
    return out;
}

TEST(DkimCanonical, IsThatOfTheExampleInRfc6376Section345) {
    EXPECT_EQ(canonical_field("A: X\r\n", Canon::Relaxed), "a:X\r\n");
    EXPECT_EQ(canonical_field("B : Y\t\r\n\tZ  \r\n", Canon::Relaxed), "b:Y Z\r\n");
    EXPECT_EQ(canonical_field("B : Y\t\r\n\tZ  \r\n", Canon::Simple), "B : Y\t\r\n\tZ  \r\n");
    const std::string_view example = " C \r\nD \t E\r\n\r\n\r\n";
    EXPECT_EQ(body(example, Canon::Relaxed), " C\r\nD E\r\n");
    EXPECT_EQ(body(example, Canon::Simple), " C \r\nD \t E\r\n");
}

TEST(DkimCanonical, EndsEveryBodyAsSection343And344Say) {
    EXPECT_EQ(body("", Canon::Simple), "\r\n");
    EXPECT_EQ(body("", Canon::Relaxed), "");
    EXPECT_EQ(body("\r\n\r\n", Canon::Simple), "\r\n");
    EXPECT_EQ(body(" \t\r\n\r\n", Canon::Relaxed), "");
    EXPECT_EQ(body("a", Canon::Simple), "a\r\n");
    EXPECT_EQ(body("a \t", Canon::Relaxed), "a\r\n");
    EXPECT_EQ(body("a\r", Canon::Simple), "a\r\r\n");
    EXPECT_EQ(body("a\r\r\nb\rc\n", Canon::Simple), "a\r\r\nb\rc\r\n");
}

TEST(DkimCanonical, IsTheSameForAnySplitAndForBareLineFeeds) {
    const std::string whole = " a  b\tc \r\n\r\n \t\r\nd\re \r\n\r\n\rf\r\n\r\n\r\n";
    for (const auto canon : {Canon::Simple, Canon::Relaxed}) {
        const std::string expected = body(whole, canon);
        for (std::size_t step = 1; step < whole.size(); ++step) EXPECT_EQ(body(whole, canon, step), expected) << step;
        EXPECT_EQ(body(text::replace_all(whole, "\r\n", "\n"), canon), expected);
    }
}

// Octet by octet nothing is taken as a run; whole, nearly everything is.
TEST(DkimCanonical, TakesRunsAsItTakesSingleOctets) {
    std::mt19937 random(6376);
    const std::string_view pieces[] = {
        "a", "bc", " ", "\t", "\r", "\n", "\r\n", "\r\n", "word word word word ", "line of text\r\n"};
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes;
        for (auto n = random() % 24; n > 0; --n) bytes += pieces[random() % std::size(pieces)];
        for (const auto canon : {Canon::Simple, Canon::Relaxed})
            ASSERT_EQ(body(bytes, canon), body(bytes, canon, 1)) << text::printable(bytes, 400);
    }
}

TEST(DkimCanonical, HoldsNoMemoryForEmptyLines) {
    std::string bytes(1'000'000, '\n');
    EXPECT_EQ(body(bytes, Canon::Simple), "\r\n");
    EXPECT_EQ(body(bytes + "x", Canon::Relaxed).size(), 2'000'003u);
}

TEST(DkimSign, IsVerifiedInEveryForm) {
    auto dns = keys().dns;
    for (const auto header : {Canon::Simple, Canon::Relaxed})
        for (const auto body_canon : {Canon::Simple, Canon::Relaxed})
            for (const auto& message : {kMessage, text::replace_all(kMessage, "\r\n", "\n"),
                                        std::string("From: a@a.test\r\n"), std::string("From: a@a.test\r\n\r\n")}) {
                const auto signed_message =
                    sign(message, {.header_canon = header, .body_canon = body_canon},
                         {keys().with(Algorithm::RsaSha256), keys().with(Algorithm::Ed25519Sha256)});
                const auto all = verify(signed_message, dns, 7);
                ASSERT_EQ(all.size(), 2u);
                for (const auto& verified : all)
                    EXPECT_EQ(verified.verdict, Verdict::Pass) << verified.reason << "\n" << signed_message;
            }
}

TEST(DkimSign, RelaxedFormSurvivesWhiteSpaceChanges) {
    auto dns = keys().dns;
    const std::string message = sign(kMessage);
    const std::string refolded = text::replace_all(
        text::replace_all(message, "folded\r\n\t subject ", "folded subject"), "this  is \t a", "this is a");
    EXPECT_EQ(verify(refolded, dns).at(0).verdict, Verdict::Pass);
}

TEST(DkimSign, NamesFieldsOnceMoreSoThatNoneCanBeAdded) {
    auto dns = keys().dns;
    const std::string message = sign(kMessage);
    for (const char* added :
         {"Subject: other\r\n", "From: eve@b.test\r\n", "Reply-To: eve@b.test\r\n", "Content-Type: text/html\r\n"}) {
        EXPECT_EQ(verify(added + message, dns).at(0).verdict, Verdict::Fail) << added;
        EXPECT_EQ(verify(text::replace_all(message, "X-Other: 1\r\n", added), dns).at(0).verdict, Verdict::Fail)
            << added;
    }
    EXPECT_EQ(verify("Received: from b\r\n" + message, dns).at(0).verdict, Verdict::Pass);
}

TEST(DkimSign, WritesLinesOfAtMost78Octets) {
    const std::string message = sign(kMessage, {.expires_s = kNow + 1},
                                     {keys().with(Algorithm::RsaSha256), keys().with(Algorithm::Ed25519Sha256)});
    for (const auto line : text::split(message, '\n')) EXPECT_LE(line.size(), 79u) << line;
}

TEST(DkimSign, RefusesAMessageWithoutFrom) {
    EXPECT_EQ(sign("Subject: x\r\n\r\n"), "error: the message has no From field");
}

// RFC 8463, appendix A.2: PureEdDSA is deterministic, so the octets printed there are the only right ones.
TEST(DkimSign, SignsAsRfc8463AppendixAShows) {
    const std::string message = crlf(data_file("rfc8463-a3.eml"));
    const HeaderFields fields(message);
    const auto parsed = parse_signature(fields.all()[0].value).value();
    const std::string seed = text::from_base64("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").value();
    const std::string der = text::from_hex("302e020100300506032b657004220420").value() + seed;
    const auto key =
        PrivateKey::from_pem("-----BEGIN PRIVATE KEY-----\n" + text::to_base64(der) + "\n-----END PRIVATE KEY-----\n")
            .value();
    EXPECT_EQ(text::to_base64(key.public_octets()), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    const auto digest =
        header_digest(fields, parsed.headers, without_signature(fields.all()[0].whole), parsed.header_canon);
    EXPECT_EQ(key.sign(digest).value(), parsed.signature);
}

TEST(DkimKeys, AreReadInBothFormsAndOnlyWhole) {
    const std::string whole = keys().rsa.public_octets();
    // SubjectPublicKeyInfo wraps the RSAPublicKey in a header of 22 octets at this size.
    const std::string bare = whole.substr(22);
    const std::string digest(32, 'd'), signature = keys().rsa.sign(digest).value();
    for (const auto& der : {whole, bare}) {
        EXPECT_TRUE(PublicKey::load(Algorithm::RsaSha256, der).value().verifies(digest, signature));
        for (std::size_t size = 0; size < der.size(); ++size)
            EXPECT_FALSE(PublicKey::load(Algorithm::RsaSha256, der.substr(0, size))) << size;
        EXPECT_FALSE(PublicKey::load(Algorithm::RsaSha256, der + 'x'));
    }
    EXPECT_FALSE(PublicKey::load(Algorithm::RsaSha256, whole, 512));
    EXPECT_FALSE(PublicKey::load(Algorithm::Ed25519Sha256, whole));
}

TEST(DkimKeys, SurviveTheirFile) {
    for (const auto* key : {&keys().rsa, &keys().ed25519}) {
        const auto again = PrivateKey::from_pem(key->to_pem()).value();
        EXPECT_EQ(again.public_octets(), key->public_octets());
        EXPECT_EQ(again.algorithm(), key->algorithm());
    }
    EXPECT_FALSE(PrivateKey::from_pem("no key"));
}

}  // namespace
}  // namespace gk::mailauth::dkim
