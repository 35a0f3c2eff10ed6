// SPDX-License-Identifier: MIT
#include "common/base/time.hpp"

#include <fmt/format.h>
#include <ctime>

#include "common/base/text.hpp"

namespace gk {

TimePoint now() { return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()); }

std::int64_t to_unix_s(TimePoint t) noexcept {
    return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
}

TimePoint from_unix_s(std::int64_t seconds) noexcept { return TimePoint(std::chrono::seconds(seconds)); }

namespace {

constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

std::string format_mail_date(TimePoint t) {
    const std::time_t seconds = to_unix_s(t);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    const long offset_min = local.tm_gmtoff / 60;
    return fmt::format("{}, {} {} {} {:02}:{:02}:{:02} {}{:02}{:02}", kDays[local.tm_wday], local.tm_mday,
                       kMonths[local.tm_mon], local.tm_year + 1900, local.tm_hour, local.tm_min, local.tm_sec,
                       offset_min < 0 ? '-' : '+', std::abs(offset_min) / 60, std::abs(offset_min) % 60);
}

std::string format_rfc3339(TimePoint t, bool milliseconds) {
    const std::time_t seconds = to_unix_s(t);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::string out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1,
                                  utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
    if (milliseconds) {
        const auto since = t - std::chrono::floor<std::chrono::seconds>(t);
        out += fmt::format(".{:03}", std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
    }
    return out + 'Z';
}

std::optional<TimePoint> parse_rfc3339(std::string_view s) {
    // 2026-11-22T09:30:37[.fraction](Z|+hh:mm)
    if (s.size() < 20 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != 't' && s[10] != ' ') || s[13] != ':' ||
        s[16] != ':')
        return std::nullopt;
    const auto year = text::to_uint(s.substr(0, 4)), month = text::to_uint(s.substr(5, 2)),
               day = text::to_uint(s.substr(8, 2)), hour = text::to_uint(s.substr(11, 2)),
               minute = text::to_uint(s.substr(14, 2)), second = text::to_uint(s.substr(17, 2));
    if (!year || !month || !day || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    TimePoint t = std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
                  std::chrono::seconds(*second);
    s.remove_prefix(19);
    if (s.front() == '.') {
        s.remove_prefix(1);
        std::int64_t scale = 100'000;
        if (s.empty() || !text::is_digit(s.front())) return std::nullopt;
        for (; !s.empty() && text::is_digit(s.front()); s.remove_prefix(1), scale /= 10)
            t += std::chrono::microseconds((s.front() - '0') * scale);
    }
    if (s == "Z" || s == "z") return t;
    if (s.size() != 6 || (s[0] != '+' && s[0] != '-') || s[3] != ':') return std::nullopt;
    const auto zone_hour = text::to_uint(s.substr(1, 2)), zone_minute = text::to_uint(s.substr(4, 2));
    if (!zone_hour || !zone_minute || *zone_hour > 23 || *zone_minute > 59) return std::nullopt;
    const auto offset = std::chrono::hours(*zone_hour) + std::chrono::minutes(*zone_minute);
    return s[0] == '+' ? t - offset : t + offset;
}

}  // namespace gk
