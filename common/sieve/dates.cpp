// SPDX-License-Identifier: MIT
#include "common/sieve/dates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <iterator>

#include "common/base/text.hpp"

namespace gk::sieve {

namespace {

constexpr std::string_view kParts[] = {"year",   "month", "day",     "date",  "julian", "hour",   "minute",
                                       "second", "time",  "iso8601", "std11", "zone",   "weekday"};
constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

std::optional<int> parse_zone(std::string_view zone) noexcept {
    if (zone.size() != 5 || (zone[0] != '+' && zone[0] != '-')) return std::nullopt;
    if (!std::all_of(zone.begin() + 1, zone.end(), text::is_digit)) return std::nullopt;
    const int hours = (zone[1] - '0') * 10 + zone[2] - '0', minutes = (zone[3] - '0') * 10 + zone[4] - '0';
    if (hours > 23 || minutes > 59) return std::nullopt;
    return (zone[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
}

bool is_date_part(std::string_view part) noexcept {
    return std::any_of(std::begin(kParts), std::end(kParts),
                       [&](std::string_view each) { return text::equals_nocase(each, part); });
}

int local_zone_min(std::int64_t unix_s) {
    const std::time_t t = unix_s;
    std::tm local{};
    if (localtime_r(&t, &local) == nullptr) return 0;
    return static_cast<int>(local.tm_gmtoff / 60);
}

std::string date_part(std::string_view part, std::int64_t unix_s, int zone_min) {
    const std::time_t moved = unix_s + std::int64_t{zone_min} * 60;
    std::tm t{};
    if (gmtime_r(&moved, &t) == nullptr) return {};
    const int year = t.tm_year + 1900, month = t.tm_mon + 1, away = std::abs(zone_min);
    const char sign = zone_min < 0 ? '-' : '+';
    const auto is = [&](std::string_view name) { return text::equals_nocase(name, part); };
    if (is("year")) return fmt::format("{:04}", year);
    if (is("month")) return fmt::format("{:02}", month);
    if (is("day")) return fmt::format("{:02}", t.tm_mday);
    if (is("date")) return fmt::format("{:04}-{:02}-{:02}", year, month, t.tm_mday);
    if (is("hour")) return fmt::format("{:02}", t.tm_hour);
    if (is("minute")) return fmt::format("{:02}", t.tm_min);
    if (is("second")) return fmt::format("{:02}", t.tm_sec);
    if (is("time")) return fmt::format("{:02}:{:02}:{:02}", t.tm_hour, t.tm_min, t.tm_sec);
    if (is("weekday")) return std::to_string(t.tm_wday);
    if (is("zone")) return fmt::format("{}{:02}{:02}", sign, away / 60, away % 60);
    if (is("iso8601")) {  // as RFC 3339 writes it
        const std::string zone = zone_min == 0 ? "Z" : fmt::format("{}{:02}:{:02}", sign, away / 60, away % 60);
        return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}", year, month, t.tm_mday, t.tm_hour, t.tm_min,
                           t.tm_sec, zone);
    }
    if (is("std11"))
        return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} {}{:02}{:02}", kDays[t.tm_wday], t.tm_mday,
                           kMonths[t.tm_mon], year, t.tm_hour, t.tm_min, t.tm_sec, sign, away / 60, away % 60);
    if (is("julian")) {
        // RFC 5260, 4.2: the Modified Julian Day, "the date according to the zone".
        std::int64_t days = moved / 86400;
        if (moved % 86400 < 0) --days;
        return std::to_string(days + 40587);
    }
    return {};
}

}  // namespace gk::sieve
