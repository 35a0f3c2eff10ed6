// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "common/base/text.hpp"
#include "common/mailauth/authres/field_filter.hpp"

namespace gk::mailauth::authres {
namespace {

const std::vector<std::string> kIds = {"mx.a.test"}, kAlways = {"x-gk-quarantine"};

std::string filtered(std::string_view message, std::size_t step = std::string_view::npos, unsigned* removed = nullptr) {
    FieldFilter filter(kIds, kAlways);
    std::string out;
    const auto sink = [&](std::string_view bytes) { out += bytes; };
    for (std::size_t at = 0; at < message.size(); at += std::min(step, message.size()))
        filter.feed(message.substr(at, step), sink);
    filter.finish(sink);
    if (removed != nullptr) *removed = filter.removed();
    return out;
}

const std::string kForged =
    "Received: from x\r\n"
    "Authentication-Results: mx.a.test; spf=pass\r\n\tsmtp.mailfrom=evil.test;\r\n dkim=pass\r\n"
    "AUTHENTICATION-results \t:\r\n  (c)  \"Mx.A.Test\" 1; none\r\n"
    "Authentication-Results: mx.b.test; spf=pass\r\n smtp.mailfrom=b.test\r\n"
    "X-GK-Quarantine: dmarc\r\n and more\r\n"
    "X-GK-Quarantine-Not: stays\r\n"
    "Authentication-Results-Too: mx.a.test; stays\r\n"
    "Auth: stays\r\n"
    "authentication-results: mx.a.test\r\n"
    "From: a@b.test\r\n"
    "\r\n"
    "Authentication-Results: mx.a.test; this is body\r\n";
const std::string kClean =
    "Received: from x\r\n"
    "Authentication-Results: mx.b.test; spf=pass\r\n smtp.mailfrom=b.test\r\n"
    "X-GK-Quarantine-Not: stays\r\n"
    "Authentication-Results-Too: mx.a.test; stays\r\n"
    "Auth: stays\r\n"
    "From: a@b.test\r\n"
    "\r\n"
    "Authentication-Results: mx.a.test; this is body\r\n";

TEST(FieldFilter, TakesOutResultsThatClaimToBeOursAndLeavesAllElse) {
    unsigned removed = 0;
    EXPECT_EQ(filtered(kForged, std::string::npos, &removed), kClean);
    EXPECT_EQ(removed, 4u);
    EXPECT_EQ(filtered(kClean), kClean);
}

TEST(FieldFilter, GivesTheSameForEverySplit) {
    for (std::size_t step = 1; step < 80; ++step) EXPECT_EQ(filtered(kForged, step), kClean) << step;
    for (std::size_t cut = 0; cut <= kForged.size(); ++cut) {
        FieldFilter filter(kIds, kAlways);
        std::string out;
        const auto sink = [&](std::string_view bytes) { out += bytes; };
        filter.feed(std::string_view(kForged).substr(0, cut), sink);
        filter.feed(std::string_view(kForged).substr(cut), sink);
        filter.finish(sink);
        ASSERT_EQ(out, kClean) << cut;
    }
}

TEST(FieldFilter, WorksWithLfToo) {
    EXPECT_EQ(filtered(text::replace_all(kForged, "\r\n", "\n"), 7), text::replace_all(kClean, "\r\n", "\n"));
}

TEST(FieldFilter, ForgedFieldThatTheMessageEndsInGoesToo) {
    EXPECT_EQ(filtered("From: a\r\nAuthentication-Results: mx.a.test; spf=pass"), "From: a\r\n");
    EXPECT_EQ(filtered("From: a\r\nAuthentication-Results"), "From: a\r\nAuthentication-Results");
    EXPECT_EQ(filtered("Authentication-Results: mx.b.test"), "Authentication-Results: mx.b.test");
    EXPECT_EQ(filtered(""), "");
}

TEST(FieldFilter, LoneCarriageReturnIsNoEndOfTheHeader) {
    EXPECT_EQ(filtered("From: a\r\n\rAuthentication-Results: x\r\nAuthentication-Results: mx.a.test; a=b\r\n\r\n", 1),
              "From: a\r\n\rAuthentication-Results: x\r\n\r\n");
}

TEST(FieldFilter, HoldsNoMoreThanItsLimit) {
    const std::string endless =
        "Authentication-Results: mx.b.test;" + std::string(FieldFilter::kMostHeld, ' ') + "\r\nTo: b\r\n\r\n";
    EXPECT_EQ(filtered(endless, 1000), "To: b\r\n\r\n");
    const std::string spaces =
        "Authentication-Results" + std::string(15'000, ' ') + ": mx.a.test; spf=pass\r\nTo: b\r\n\r\n";
    EXPECT_EQ(filtered(spaces, 999), "To: b\r\n\r\n");
}

}  // namespace
}  // namespace gk::mailauth::authres
