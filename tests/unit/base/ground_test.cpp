// SPDX-License-Identifier: MIT
#include <set>

#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/base/result.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"

namespace gk {
namespace {

Result<int> half(int n) {
    if (n % 2 != 0) return fail(Errc::BadInput, "odd");
    return n / 2;
}

Result<int> quarter(int n) {
    GK_TRY(const int h, half(n));
    GK_TRY(const int q, half(h));
    return q;
}

TEST(ResultMacros, PassTheFirstErrorOn) {
    EXPECT_EQ(quarter(8), 2);
    ASSERT_FALSE(quarter(6));
    EXPECT_EQ(quarter(6).error().in("cannot quarter").text, "cannot quarter: odd");
}

TEST(OsError, SaysWhatTheCallerMayDo) {
    EXPECT_EQ(os_error(ENOSPC, "x").code, Errc::Temporary);
    EXPECT_EQ(os_error(EACCES, "x").code, Errc::Denied);
    EXPECT_EQ(os_error(ENOENT, "cannot open 'y'").text, "cannot open 'y': No such file or directory");
    for (int code = 0; code <= static_cast<int>(Errc::Bug); ++code)
        EXPECT_FALSE(errc_name(static_cast<Errc>(code)).empty());
}

TEST(Ids, SortByTimeAndNeverRepeat) {
    std::set<std::string> seen;
    std::string last;
    for (int i = 0; i < 1000; ++i) {
        const std::string id = new_id();
        EXPECT_EQ(id.size(), 20u);
        EXPECT_LE(last.substr(0, 10), id.substr(0, 10));
        EXPECT_TRUE(seen.insert(id).second);
        last = id;
    }
    EXPECT_NE(random_bytes(16), random_bytes(16));
    EXPECT_TRUE(equals_constant_time("abc", "abc"));
    EXPECT_FALSE(equals_constant_time("abc", "abd"));
    EXPECT_FALSE(equals_constant_time("abc", "ab"));
}

TEST(Time, ReadsBackWhatItPrints) {
    const TimePoint t = from_unix_s(1'795'339'837);
    EXPECT_EQ(format_rfc3339(t), "2026-11-22T09:30:37Z");
    EXPECT_EQ(parse_rfc3339("2026-11-22T09:30:37Z"), t);
    EXPECT_EQ(parse_rfc3339("2026-11-22T11:30:37+02:00"), t);
    EXPECT_EQ(parse_rfc3339(format_rfc3339(t + std::chrono::milliseconds(250), true)),
              t + std::chrono::milliseconds(250));
    EXPECT_EQ(to_unix_s(t), 1'795'339'837);
    for (const char* bad :
         {"", "2026-11-22", "2026-13-22T09:30:37Z", "2026-02-30T09:30:37Z", "2026-11-22T25:30:37Z",
          "2026-11-22T09:30:37", "2026-11-22T09:30:37.Z", "2026-11-22T09:30:37+2:00", "2026-11-22T09:30:37+24:00"})
        EXPECT_FALSE(parse_rfc3339(bad)) << bad;
}

TEST(Time, PrintsDatesAsMailWantsThem) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    EXPECT_EQ(format_mail_date(from_unix_s(1'795'339'837)), "Sun, 22 Nov 2026 09:30:37 +0000");
    ::setenv("TZ", "America/St_Johns", 1);
    ::tzset();
    EXPECT_EQ(format_mail_date(from_unix_s(1'795'339'837)).substr(26), "-0330");
    ::setenv("TZ", "UTC", 1);
    ::tzset();
}

std::string logged(const char* format, log::Level least, void (*write)()) {
    ::setenv("GK_LOG", format, 1);
    log::open("gk-test", least);
    ::testing::internal::CaptureStderr();
    write();
    return ::testing::internal::GetCapturedStderr();
}

void sample() { log::Event("message.accepted").field("id", "X\n\"1").field("size", 12).field("tls", true); }

TEST(Events, AreOneLineOfJsonWithTypedFields) {
    const std::string line = logged("json", log::Level::Info, sample);
    EXPECT_NE(line.find(R"("program":"gk-test")"), std::string::npos) << line;
    EXPECT_NE(line.find(R"("event":"message.accepted","id":"X\n\"1","size":12,"tls":true})"), std::string::npos)
        << line;
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST(Events, CarryThePriorityForTheJournal) {
    EXPECT_EQ(logged("journal", log::Level::Info, sample).substr(0, 20), "<6>message.accepted ");
    EXPECT_NE(logged("text", log::Level::Info, sample).find(" gk-test message.accepted id=\"X\\n\\\"1\" size=12"),
              std::string::npos);
}

TEST(Events, BelowTheWantedLevelAreNotWritten) { EXPECT_EQ(logged("json", log::Level::Warning, sample), ""); }

TEST(JsonStrings, ReplaceWhatIsNotUtf8) {
    EXPECT_EQ(log::json_string("\xC3\xA4\xff\x01"), "\"\xC3\xA4\xEF\xBF\xBD\\u0001\"");
    EXPECT_EQ(log::json_string("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace gk
