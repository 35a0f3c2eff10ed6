// SPDX-License-Identifier: MIT
#include "common/imap/format/format.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/message/date.hpp"

namespace gk::imap {

namespace {
constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
}

void append_internal_date(std::string& out, TimePoint t) {
    const auto day = std::chrono::floor<std::chrono::days>(t);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(t - day));
    fmt::format_to(std::back_inserter(out), "\"{:2}-{}-{:04} {:02}:{:02}:{:02} +0000\"",
                   static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                   static_cast<int>(date.year()), time.hours().count(), time.minutes().count(), time.seconds().count());
}

// date-time: ( SP DIGIT / 2DIGIT ) "-" date-month "-" 4DIGIT SP time SP zone
std::optional<TimePoint> parse_internal_date(std::string_view s) {
    const auto digits = [&](std::size_t at, std::size_t n) -> int {
        const auto value = at + n <= s.size() ? text::to_uint(s.substr(at, n)) : std::nullopt;
        return value ? static_cast<int>(*value) : -1;
    };
    if (s.size() == 25) {  // one digit without its space
        std::string padded(" ");
        padded += s;
        return s[1] == '-' ? parse_internal_date(padded) : std::nullopt;
    }
    if (s.size() != 26 || s[2] != '-' || s[6] != '-' || s[11] != ' ' || s[14] != ':' || s[17] != ':' || s[20] != ' ' ||
        (s[21] != '+' && s[21] != '-'))
        return std::nullopt;
    message::Date date;
    date.day = s[0] == ' ' ? digits(1, 1) : digits(0, 2);
    date.month = 0;
    for (int i = 0; i < 12; ++i)
        if (text::equals_nocase(s.substr(3, 3), kMonths[i])) date.month = i + 1;
    date.year = digits(7, 4), date.hour = digits(12, 2), date.minute = digits(15, 2), date.second = digits(18, 2);
    const int zone_hours = digits(22, 2), zone_minutes = digits(24, 2);
    if (date.day < 1 || date.day > 31 || date.month == 0 || date.year < 0 || date.hour < 0 || date.hour > 23 ||
        date.minute < 0 || date.minute > 59 || date.second < 0 || date.second > 60 || zone_hours < 0 ||
        zone_minutes < 0 || zone_minutes > 59)
        return std::nullopt;
    date.offset_min = (s[21] == '-' ? -1 : 1) * (zone_hours * 60 + zone_minutes);
    return date.utc();
}

}  // namespace gk::imap
