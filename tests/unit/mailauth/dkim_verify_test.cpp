// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/mailauth/dkim_fixture.hpp"

namespace gk::mailauth::dkim {
namespace {

DnsTable rfc_keys() { return DnsTable::parse(data_file("keys.txt")).value(); }
Verified one(const std::vector<Verified>& all) { return all.size() == 1 ? all[0] : Verified(); }

// Changes one tag of the signature, or adds it, without signing again.
std::string with_tag(std::string message, std::string_view from, std::string_view to) {
    return text::replace_all(message, from, to);
}

TEST(DkimVerify, PassesTheMessageOfRfc6376AppendixA) {
    auto dns = rfc_keys();
    for (const auto& message : {data_file("rfc6376-a2.eml"), crlf(data_file("rfc6376-a2.eml"))}) {
        const auto verified = one(verify(message, dns));
        EXPECT_EQ(verified.verdict, Verdict::Pass) << verified.reason;
        EXPECT_EQ(verified.domain, "example.com");
        EXPECT_EQ(verified.selector, "brisbane");
        EXPECT_EQ(verified.identity, "joe@football.example.com");
        EXPECT_EQ(verified.signature_start, "AuUoFEfD");
        EXPECT_EQ(verified.key_bits, 1024u);
    }
}

TEST(DkimVerify, PassesBothSignaturesOfRfc8463AppendixA) {
    auto dns = rfc_keys();
    const auto all = verify(crlf(data_file("rfc8463-a3.eml")), dns);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].verdict, Verdict::Pass) << all[0].reason;
    EXPECT_EQ(all[0].algorithm, "ed25519-sha256");
    EXPECT_EQ(all[1].verdict, Verdict::Pass) << all[1].reason;
    EXPECT_EQ(all[1].algorithm, "rsa-sha256");
}

TEST(DkimVerify, DoesNotDependOnHowBytesAreSplit) {
    auto dns = rfc_keys();
    for (const char* name : {"rfc6376-a2.eml", "rfc8463-a3.eml"})
        for (const auto& message : {data_file(name), crlf(data_file(name))})
            for (std::size_t step = 1; step < 40; ++step)
                for (const auto& verified : verify(message, dns, step))
                    EXPECT_EQ(verified.verdict, Verdict::Pass) << name << " by " << step << ": " << verified.reason;
}

TEST(DkimVerify, FailsWhereAnySignedOctetWasChanged) {
    auto dns = rfc_keys();
    const std::string message = data_file("rfc6376-a2.eml");
    for (const auto& [from, to] : {std::pair{"dinner", "supper"},
                                   {"lost", "won!"},
                                   {"joe@football.example.com>", "eve@football.example.com>"},
                                   {"\nJoe.", "\nJoe. "},
                                   {"AuUo", "BuUo"},
                                   {"2jUS", "3jUS"},
                                   {"  [192.0.2.1]", " [192.0.2.1]"}}) {
        const auto verified = one(verify(with_tag(message, from, to), dns));
        EXPECT_EQ(verified.verdict, Verdict::Fail) << from << ": " << verified.reason;
    }
}

TEST(DkimVerify, SaysWhyThereIsNoKey) {
    const std::string message = sign(kMessage);
    const auto with_record = [&](const std::string& record) {
        DnsTable dns;
        dns.add("e._domainkey.a.test", "TXT", record);
        return one(verify(message, dns));
    };
    const std::string p = "p=" + text::to_base64(keys().ed25519.public_octets());
    EXPECT_EQ(with_record("v=DKIM1; k=ed25519; " + p).verdict, Verdict::Pass);
    EXPECT_EQ(with_record("v=DKIM1; k=ed25519; h=sha1:sha256; s=email; t=s; n=x; " + p).verdict, Verdict::Pass);
    EXPECT_EQ(with_record("v=DKIM1; k=ed25519; p=").reason, "key: revoked");
    EXPECT_EQ(with_record("v=DKIM1; k=ed25519; h=sha1; " + p).reason, "key: not for sha256");
    EXPECT_EQ(with_record("v=DKIM1; k=ed25519; s=tlsrpt; " + p).reason, "key: not for mail");
    EXPECT_EQ(with_record("v=DKIM1; " + p).reason, "key: of type rsa");
    EXPECT_EQ(with_record("v=DKIM2; k=ed25519; " + p).verdict, Verdict::PermError);
    EXPECT_EQ(with_record("k=ed25519; v=DKIM1; " + p).verdict, Verdict::PermError);
    EXPECT_EQ(with_record("v=DKIM1; k=ed25519").verdict, Verdict::PermError);
    EXPECT_EQ(with_record("v=DKIM1; k=ed25519; p=AAAA").verdict, Verdict::PermError);
    EXPECT_TRUE(with_record("v=DKIM1; k=ed25519; t=y; " + p).testing);
    DnsTable empty, down;
    down.add_failure("e._domainkey.a.test", "*");
    EXPECT_EQ(one(verify(message, empty)).verdict, Verdict::PermError);
    EXPECT_EQ(one(verify(message, down)).verdict, Verdict::TempError);
    // 3.6.2.2: several records leave open which; one that fits will do.
    DnsTable several;
    several.add("e._domainkey.a.test", "TXT", "v=spf1 -all");
    several.add("e._domainkey.a.test", "TXT", "v=DKIM1; k=ed25519; " + p);
    EXPECT_EQ(one(verify(message, several)).verdict, Verdict::Pass);
}

TEST(DkimVerify, RefusesWeakKeysAndOldHashes) {
    const auto weak = PrivateKey::generate(Algorithm::RsaSha256, 768).value();
    DnsTable dns;
    dns.add("w._domainkey.a.test", "TXT", format_key_record(weak));
    const SignWith with{"a.test", "w", "", Algorithm::RsaSha256,
                        [&](std::string_view digest) { return weak.sign(digest); }};
    const auto verified = one(verify(sign(kMessage, {}, {with}), dns));
    EXPECT_EQ(verified.verdict, Verdict::Policy);
    EXPECT_EQ(verified.key_bits, 768u);
    auto good = keys().dns;
    const std::string sha1 = with_tag(sign(kMessage), "a=ed25519-sha256", "a=rsa-sha1");
    EXPECT_EQ(one(verify(sha1, good)).verdict, Verdict::PermError);
}

TEST(DkimVerify, RefusesKeysOfAbsurdSize) {
    DnsTable dns;
    // A modulus of 20,000 bits in an RSAPublicKey, which no library call is to meet.
    std::string number = "\x02\x82\x09\xc5" + std::string(1, '\0') + std::string(2500, '\xc3');
    std::string body = number + "\x02\x03\x01" + std::string(1, '\0') + "\x01";
    std::string der =
        "\x30\x82" + std::string{static_cast<char>(body.size() >> 8), static_cast<char>(body.size() & 0xff)} + body;
    dns.add("r._domainkey.a.test", "TXT", "v=DKIM1; p=" + text::to_base64(der));
    const auto verified = one(verify(sign(kMessage, {}, {keys().with(Algorithm::RsaSha256)}), dns));
    EXPECT_EQ(verified.verdict, Verdict::PermError) << verified.reason;
}

TEST(DkimVerify, HoldsExpiryAndTimeAgainstTheClock) {
    auto dns = keys().dns;
    const std::string message = sign(kMessage, {.timestamp_s = kNow, .expires_s = kNow + 3600});
    EXPECT_EQ(one(verify(message, dns)).verdict, Verdict::Pass);
    EXPECT_EQ(one(verify(message, dns, 100, kNow + 3700)).verdict, Verdict::Pass) << "within the skew";
    EXPECT_EQ(one(verify(message, dns, 100, kNow + 4000)).verdict, Verdict::Policy);
    EXPECT_EQ(one(verify(message, dns, 100, kNow - 4000)).verdict, Verdict::Policy);
}

// RFC 6376, 8.2: an attacker may add to what l= leaves open.
TEST(DkimVerify, AcceptsABodyLengthOnlyWhereItCoversTheBody) {
    auto dns = keys().dns;
    const std::string body = "12345\r\n";
    const auto signed_to = [&](std::uint64_t length, const std::string& sent) {
        BodyHashes hashes;
        const auto slot = hashes.add(Canon::Simple, length);
        hashes.feed(body);
        hashes.finish();
        const std::string header = "From: a@a.test\r\n";
        std::string field =
            "DKIM-Signature: v=1; a=ed25519-sha256; d=a.test; s=e; h=from; l=" + std::to_string(length) +
            "; bh=" + text::to_base64(hashes.of(slot).digest) + "; b=";
        const auto digest = header_digest(HeaderFields(header), {"from"}, field, Canon::Simple);
        field += text::to_base64(keys().ed25519.sign(digest).value()) + "\r\n";
        return field + header + "\r\n" + sent;
    };
    EXPECT_EQ(one(verify(signed_to(7, body), dns)).verdict, Verdict::Pass);
    const auto longer = one(verify(signed_to(7, body + "buy!\r\n"), dns));
    EXPECT_EQ(longer.verdict, Verdict::Policy);
    EXPECT_EQ(longer.reason, "6 octets of the body are past l=");
    EXPECT_EQ(one(verify(signed_to(7, body + "buy!\r\n"), dns, 50, kNow, {.accept_partial_body = true})).verdict,
              Verdict::Pass);
    EXPECT_EQ(one(verify(signed_to(100, body), dns)).verdict, Verdict::Fail);
}

TEST(DkimVerify, CallsMalformedSignaturesNeutralAndNamesThem) {
    auto dns = keys().dns;
    const std::string good = sign(kMessage);
    for (const auto& [from, to] : {std::pair{"v=1; ", ""},
                                   {"v=1", "v=2"},
                                   {"d=a.test", "d=a..test"},
                                   {"s=e;", "s=;"},
                                   {"h=from:", "h="},
                                   {"c=relaxed/", "c=strict/"},
                                   {"b=", "z="},
                                   {"a=ed25519-sha256", "a=ed448"},
                                   {" t=", " t=x"},
                                   {"v=1; ", "v=1; v=1; "},
                                   {"v=1; ", "v=1; i=@b.test; "},
                                   {"v=1; ", "v=1; q=http; "},
                                   {"v=1; ", "v=1;; "}}) {
        const auto verified = one(verify(text::replace_all(good, from, to), dns));
        if (std::string_view(from) == "h=from:") {
            // from is there once more, oversigned.
            EXPECT_EQ(verified.verdict, Verdict::Fail) << verified.reason;
            continue;
        }
        EXPECT_EQ(verified.verdict, Verdict::Neutral) << to << ": " << verified.reason;
        EXPECT_FALSE(verified.reason.empty());
    }
}

TEST(DkimVerify, LooksAtNoMoreSignaturesThanItsLimit) {
    auto dns = keys().dns;
    std::string message = kMessage;
    const std::string field = sign(kMessage).substr(0, sign(kMessage).size() - kMessage.size());
    for (int i = 0; i < 50; ++i) message = field + message;
    EXPECT_EQ(verify(message, dns).size(), 10u);
}

TEST(DkimVerify, GivesUpOnAHeaderWithoutEnd) {
    DnsTable dns;
    std::string message;
    for (int i = 0; i < 100'000; ++i) message += "X-Filler: aaaaaaaaaa\r\n";
    Verifier verifier(kNow);
    verifier.feed(message);
    EXPECT_LE(verifier.header().size(), std::size_t(1) << 20);
    EXPECT_EQ(one(verifier.finish(dns)).verdict, Verdict::PermError);
}

TEST(DkimVerify, ReadsDomainsBeyondAscii) {
    const auto& key = keys().ed25519;
    DnsTable dns;
    dns.add("xn--e1aybc._domainkey.xn--bcher-kva.test", "TXT", format_key_record(key));
    const SignWith with{"bücher.test", "тест", "jürgen@bücher.test", Algorithm::Ed25519Sha256,
                        [&](std::string_view d) { return key.sign(d); }};
    const auto verified = one(verify(sign(kMessage, {}, {with}), dns));
    EXPECT_EQ(verified.verdict, Verdict::Pass) << verified.reason;
    EXPECT_EQ(verified.domain, "xn--bcher-kva.test");
}

TEST(DkimVerify, FindsNoSignatureInAMessageWithoutOne) {
    DnsTable dns;
    EXPECT_TRUE(verify(kMessage, dns).empty());
    EXPECT_TRUE(verify("", dns).empty());
}

}  // namespace
}  // namespace gk::mailauth::dkim
