// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <cstdlib>

#include "common/submit/when.hpp"

namespace gk::submit {
namespace {

using testing::HasSubstr;

const TimePoint kNow = *parse_rfc3339("2026-12-01T06:00:00Z");

std::string at(std::string_view text, TimePoint now = kNow) {
    const auto when = parse_when(text, now);
    return when ? format_rfc3339(when->at) : "error: " + when.error().text;
}

class WhenTest : public testing::Test {
protected:
    WhenTest() { ::setenv("TZ", ":Europe/Berlin", 1); }
    ~WhenTest() override { ::unsetenv("TZ"); }
};

TEST_F(WhenTest, FromNow) {
    EXPECT_EQ(at("+2h"), "2026-12-01T08:00:00Z");
    EXPECT_EQ(at("+1h30m"), "2026-12-01T07:30:00Z");
    EXPECT_EQ(at("+1d"), "2026-12-02T06:00:00Z");
    for (const char* bad : {"+", "+x", "+0s", "+-1h", "+99999999999w"}) EXPECT_THAT(at(bad), HasSubstr("error")) << bad;
}

TEST_F(WhenTest, Rfc3339) {
    EXPECT_EQ(at("2027-01-31T09:00:00+01:00"), "2027-01-31T08:00:00Z");
    EXPECT_EQ(at("2027-01-31T09:00:00Z"), "2027-01-31T09:00:00Z");
}

TEST_F(WhenTest, InNamedZones) {
    EXPECT_EQ(at("2027-01-31 09:00 Europe/Berlin"), "2027-01-31T08:00:00Z");
    EXPECT_EQ(at("2027-07-31 09:00 Europe/Berlin"), "2027-07-31T07:00:00Z");
    EXPECT_EQ(at("2027-01-31 09:00 America/New_York"), "2027-01-31T14:00:00Z");
    EXPECT_EQ(at("2027-01-31 09:00 Asia/Kolkata"), "2027-01-31T03:30:00Z");
    EXPECT_EQ(at("2027-01-31 09:00:30 UTC"), "2027-01-31T09:00:30Z");
    EXPECT_EQ(at("2027-01-31 09:00 -05:30"), "2027-01-31T14:30:00Z");
    EXPECT_EQ(at("2027-01-31 09:00"), "2027-01-31T08:00:00Z");  // the local zone
    for (const char* bad : {"2027-01-31 09:00 Europe/Nowhere", "2027-01-31 09:00 ../../etc/passwd",
                            "2027-01-31 09:00 /etc/localtime", "2027-01-31 09:00 Europe", "2027-01-31 09:00 +25:00"})
        EXPECT_THAT(at(bad), HasSubstr("no time zone")) << bad;
}

TEST_F(WhenTest, Days) {
    EXPECT_EQ(at("tomorrow 09:00"), "2026-12-02T08:00:00Z");
    EXPECT_EQ(at("today 18:00"), "2026-12-01T17:00:00Z");
    EXPECT_EQ(at("09:00"), "2026-12-01T08:00:00Z");
    EXPECT_EQ(at("06:30"), "2026-12-02T05:30:00Z");                            // past today
    EXPECT_EQ(at("tomorrow 09:00 Pacific/Auckland"), "2026-12-01T20:00:00Z");  // it is December 1 there, in the evening
    EXPECT_THAT(at("today 01:00"), HasSubstr("is past"));
}

TEST_F(WhenTest, ATimeThatClocksLeaveOutIsRefused) {
    EXPECT_THAT(at("2027-03-28 02:30 Europe/Berlin"), HasSubstr("go forward over it"));
    EXPECT_EQ(at("2027-03-28 03:00 Europe/Berlin"), "2027-03-28T01:00:00Z");
    EXPECT_THAT(at("2027-02-29 09:00"), HasSubstr("no such day"));
}

TEST_F(WhenTest, OfATimeThatClocksShowTwiceTheFirstIsTakenAndTold) {
    const auto twice = parse_when("2027-10-31 02:30 Europe/Berlin", kNow);
    ASSERT_TRUE(twice);
    EXPECT_EQ(format_rfc3339(twice->at), "2027-10-31T00:30:00Z");
    EXPECT_THAT(twice->note, HasSubstr("twice"));
    EXPECT_EQ(parse_when("2027-10-31 03:30 Europe/Berlin", kNow)->note, "");
}

TEST_F(WhenTest, WhatIsPastOrNoTimeIsRefused) {
    EXPECT_THAT(at("2026-11-30T00:00:00Z"), HasSubstr("is past"));
    EXPECT_THAT(at("2020-01-01 09:00"), HasSubstr("is past"));
    for (const char* bad : {"", "soon", "2027-01-31", "2027-13-01 09:00", "2027-01-31 24:00", "2027-01-31 9:00",
                            "2027-01-31 09:00 UTC x", "tomorrow"})
        EXPECT_THAT(at(bad), HasSubstr("error")) << bad;
    EXPECT_STREQ(std::getenv("TZ"), ":Europe/Berlin");
}

}  // namespace
}  // namespace gk::submit
