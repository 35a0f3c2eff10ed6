// SPDX-License-Identifier: MIT
#include "common/message/date.hpp"

namespace gk::message {
namespace {

std::string utc(std::string_view value) {
    const auto date = parse_date(value);
    return date ? format_rfc3339(date->utc()) : "none";
}

TEST(Date, ReadsRfc5322) {
    EXPECT_EQ(utc("Sun, 22 Nov 2026 09:30:37 +0000"), "2026-11-22T09:30:37Z");
    EXPECT_EQ(utc("Sun, 22 Nov 2026 09:30:37 -0830"), "2026-11-22T18:00:37Z");
    EXPECT_EQ(utc(" 1 Jan 2000 00:00 +0100 "), "1999-12-31T23:00:00Z");
    EXPECT_EQ(utc("Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)"), "1969-02-14T03:02:00Z");
    EXPECT_EQ(utc("29 Feb 2024 23:59:60 +0000"), "2024-03-01T00:00:00Z");
}

TEST(Date, ReadsObsoleteForms) {
    EXPECT_EQ(utc("21 Nov 97 09:55:06 GMT"), "1997-11-21T09:55:06Z");
    EXPECT_EQ(utc("21 Nov 26 09:55:06 EST"), "2026-11-21T14:55:06Z");
    EXPECT_EQ(utc("21 Nov 126 09:55:06 UT"), "2026-11-21T09:55:06Z");
    EXPECT_EQ(utc("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600"), "1997-11-21T15:55:06Z");
    EXPECT_EQ(utc("21 Nov 1997 09:55:06 K"), "1997-11-21T09:55:06Z");
}

TEST(Date, ReadsCommonMistakes) {
    EXPECT_EQ(utc("Sun Nov 22 09:30:37 2026"), "2026-11-22T09:30:37Z");
    EXPECT_EQ(utc("Sun Nov 22 09:30:37 PST 2026"), "2026-11-22T17:30:37Z");
    EXPECT_EQ(utc("2026-11-22T09:30:37Z"), "2026-11-22T09:30:37Z");
    EXPECT_EQ(utc("2026-11-22 09:30:37+02:00"), "2026-11-22T07:30:37Z");
    EXPECT_EQ(utc("22-Nov-2026 09:30:37.5 GMT+0100"), "2026-11-22T08:30:37Z");
    EXPECT_EQ(utc("Sunday, 22 November 2026 9:30:37 PM"), "2026-11-22T21:30:37Z");
    EXPECT_EQ(utc("22 Nov 2026 12:00 AM"), "2026-11-22T00:00:00Z");
    EXPECT_EQ(utc("Tues, 22 Sept 2026 09:30:37 +1"), "2026-09-22T08:30:37Z");
    EXPECT_EQ(utc("22 Nov 2026"), "2026-11-22T00:00:00Z");
}

TEST(Date, RefusesWhatIsNone) {
    for (const std::string_view bad :
         {"", "yesterday", "32 Nov 2026", "22 Foo 2026", "0 Nov 2026", "22 Nov", "Nov 2026", "99999999999",
          "2026-13-01", "2026-00-01", "1-2", "-", "+", "::", "((((", "2026-11-22T99:00Z"})
        EXPECT_EQ(utc(bad), "none") << bad;
    EXPECT_EQ(utc(std::string(1'000'000, '(')), "none");
}

TEST(Date, KnowsTheSendersDay) {
    const auto date = parse_date("1 Jan 2000 00:30 +0100");
    EXPECT_EQ(date->day_number(), day_number(2000, 1, 1));
    EXPECT_EQ(day_number(1970, 1, 1), 0);
    EXPECT_EQ(day_number(2000, 3, 1), 11017);
}

}  // namespace
}  // namespace gk::message
