// SPDX-License-Identifier: MIT
#include "common/spam/features.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/spam/readers.hpp"

namespace gk::spam {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Not;

std::vector<std::string> features_of(const std::string& message, const FeatureLimits& limits = {}) {
    const Features features = read_features(message, message::scan(message), limits);
    std::vector<std::string> out;
    for (std::size_t i = 0; i < features.size(); ++i) out.emplace_back(features.text(i));
    return out;
}

std::string html(const std::string& body) {
    return "From: Bank <service@bank.test>\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body;
}

TEST(SpamFeatures, WordsAreFoldedAndStandAloneAndInPairsWithTheirDistance) {
    EXPECT_THAT(
        features_of("Subject: x\n\nBuy CHEAP Café now\n"),
        AllOf(Contains("word:buy"), Contains("word:cafe"), Contains("word-capitals:cheap"), Contains("word:buy cheap"),
              Contains("word:buy _ cafe"), Contains("word:buy _ _ now"), Not(Contains("word:cheap buy"))));
}

TEST(SpamFeatures, ScriptsWithoutSpacesBecomePairsOfLetters) {
    EXPECT_THAT(features_of("Subject: x\nContent-Type: text/plain; charset=utf-8\n\n東京都\n"),
                AllOf(Contains("word:東京"), Contains("word:京都")));
}

TEST(SpamFeatures, EachCountsOnceAndInItsGroup) {
    const std::string message = "Subject: a a a\n\nb b b b\n";
    const Features features = read_features(message, message::scan(message));
    const auto all = features_of(message);
    EXPECT_EQ(std::count(all.begin(), all.end(), "word:b"), 1);
    EXPECT_EQ(std::count(all.begin(), all.end(), "subject:a"), 1);
    EXPECT_EQ(features.count(Group::Word), 1u);
    EXPECT_EQ(features.count(Group::Pair), 3u);  // b b, b _ b, b _ _ b
    EXPECT_EQ(features.count(Group::Trait), features.size() - 4);
}

TEST(SpamFeatures, SameBytesAndLineEndsAsideGiveTheSameIdentity) {
    const std::string lf = "Subject: a\nFrom: b@c.test\n\ntext of it\n",
                      crlf = "Subject: a\r\nFrom: b@c.test\r\n\r\ntext of it\r\n";
    const auto identity = [](const std::string& m) { return identity_of(read_features(m, message::scan(m))); };
    const std::string other = "Subject: a\nFrom: b@c.test\n\ntext of one\n";
    EXPECT_EQ(features_of(lf).size(), features_of(crlf).size());
    EXPECT_EQ(identity(lf), identity(lf));
    EXPECT_NE(identity(lf), identity(other));
}

TEST(SpamFeatures, WhatFiltersWroteIsNotLookedAt) {
    for (const auto& feature :
         features_of("X-Spam-Status: Yes\nX-GK-Spam: spam; score=1\nX-Bogosity: Spam\nStatus: RO\n\nx\n"))
        EXPECT_EQ(feature.find("spam"), std::string::npos) << feature;
}

TEST(SpamFeatures, AuthenticationCountsOnlyAboveTheFirstReceived) {
    const auto ours =
        features_of("Authentication-Results: mx.a.test; spf=pass smtp.mailfrom=x; dkim=fail\nReceived: by mx\n\nx\n");
    EXPECT_THAT(ours, AllOf(Contains("auth:spf=pass"), Contains("auth:dkim=fail")));
    EXPECT_THAT(features_of("Received: by mx\nAuthentication-Results: mx.a.test; spf=pass\n\nx\n"),
                Not(Contains("auth:spf=pass")));
}

TEST(SpamFeatures, LinksThatShowAnotherDomainAreTold) {
    EXPECT_THAT(features_of(html("<a href=\"http://evil.test/login\">https://www.bank.test/</a>")),
                AllOf(Contains("link-host:evil.test"), Contains("link-path:login"),
                      Contains("link:that shows another domain")));
    EXPECT_THAT(features_of(html(
                    "<a href='http://www.bank.test/login'>bank.test</a> <a href=http://x.test>Read more. Now</a>")),
                AllOf(Contains("link:to the sender's domain"), Not(Contains("link:that shows another domain"))));
    EXPECT_THAT(
        features_of(html("<a href=\"http://bank.test@203.0.113.9:8080/\">x</a>")),
        AllOf(Contains("link:with a user name"), Contains("link:to a number"), Contains("link:to an odd port")));
}

TEST(SpamFeatures, LookAlikesOfTheSenderOrOfWhatIsShownAreTold) {
    EXPECT_TRUE(looks_like("paypa1.test", "paypal.test"));
    EXPECT_TRUE(looks_like("www.rnybank.test", "mybank.test"));
    EXPECT_TRUE(looks_like("xn--pypal-4ve.test", "paypal.test"));  // a Cyrillic "а"
    EXPECT_TRUE(looks_like("amazom-pay.test", "amazonpay.test"));
    EXPECT_FALSE(looks_like("mail.paypal.test", "www.paypal.test"));
    EXPECT_FALSE(looks_like("cat.test", "car.test"));
    EXPECT_THAT(features_of(html("<a href=http://paypa1.test/>paypal.test</a>")),
                Contains("link:that shows a domain much like it"));
}

TEST(SpamFeatures, HtmlTellsWhatItHides) {
    EXPECT_THAT(features_of(html("<p style=\"Font-Size: 0; color:#fff\">hid</p>V<!-- x -->iagra<img width=1 height=1 "
                                 "src=http://t.test/p.gif>"
                                 "<form action=http://f.test/></form>")),
                AllOf(Contains("html-hidden:font-size:0"), Contains("html:comment within a word"),
                      Contains("word:viagra"), Contains("html-image:as small as a point"),
                      Contains("image-host:t.test"), Contains("html:form"), Contains("link-host:f.test")));
}

TEST(SpamFeatures, AttachmentsTellTypeAndEveryEnding) {
    EXPECT_THAT(
        features_of(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\n"
            "Content-Type: application/pdf; name=\"Invoice.PDF.exe\"\nContent-Disposition: attachment\n\nMZ\n--b--\n"),
        AllOf(Contains("file-ending:exe"), Contains("file-ending:pdf.exe"),
              Contains("file-type:exe as application/pdf"), Contains("attachments:1"),
              Contains("disposition:attachment")));
}

TEST(SpamFeatures, LimitsHoldForWhatIsEndless) {
    std::string words;
    for (int i = 0; i < 100'000; ++i) words += "word" + std::to_string(i) + ' ';
    const auto few = features_of("Subject: x\n\n" + words, {.features = 500});
    EXPECT_EQ(few.size(), 500u);
    const auto short_text = features_of("Subject: x\n\n" + words, {.text = 1000});
    EXPECT_LT(short_text.size(), 700u);
    for (const auto& feature :
         features_of("Subject: " + std::string(100'000, 'a') + "\n\n" + std::string(100'000, 'b') + "\n"))
        EXPECT_LT(feature.size(), 200u) << feature.substr(0, 50);
}

TEST(SpamFeatures, NumbersAreSharedByMagnitude) {
    EXPECT_EQ(magnitude(0), "0");
    EXPECT_EQ(magnitude(1), "1");
    EXPECT_EQ(magnitude(2), "2");
    EXPECT_EQ(magnitude(3), "3-4");
    EXPECT_EQ(magnitude(8), "5-8");
    EXPECT_EQ(magnitude(9), "9-16");
    EXPECT_EQ(magnitude(100), "65-128");
    EXPECT_EQ(magnitude(std::size_t(-1)), "64k up");
}

}  // namespace
}  // namespace gk::spam
