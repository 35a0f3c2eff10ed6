// SPDX-License-Identifier: MIT
#include "common/message/date.hpp"

#include "common/base/text.hpp"
#include "common/message/header.hpp"

namespace gk::message {

namespace {

constexpr std::size_t kMaxDate = 1000;  // a Date field with its comments

int named_month(std::string_view s) noexcept {
    constexpr std::string_view kNames[] = {"january", "february", "march",     "april",   "may",      "june",
                                           "july",    "august",   "september", "october", "november", "december"};
    if (s.size() < 3) return 0;
    for (int i = 0; i < 12; ++i)
        if (s.size() <= kNames[i].size() && text::equals_nocase(s, kNames[i].substr(0, s.size()))) return i + 1;
    return text::equals_nocase(s, "sept") ? 9 : 0;
}

bool is_day_name(std::string_view s) noexcept {
    for (const std::string_view name : {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"})
        if (s.size() >= 3 && s.size() <= name.size() && text::equals_nocase(s, name.substr(0, s.size()))) return true;
    return text::equals_nocase(s, "tues") || text::equals_nocase(s, "thurs");
}

// Zones that have a name: RFC 5322, 4.3, and a few that European senders write. All others, military letters too, are
// UTC.
std::optional<int> named_zone(std::string_view s) noexcept {
    struct Zone {
        std::string_view name;
        int offset_min;
    };
    constexpr Zone kZones[] = {{"UT", 0},     {"GMT", 0},    {"UTC", 0},    {"Z", 0},      {"EST", -300},
                               {"EDT", -240}, {"CST", -360}, {"CDT", -300}, {"MST", -420}, {"MDT", -360},
                               {"PST", -480}, {"PDT", -420}, {"BST", 60},   {"CET", 60},   {"MET", 60},
                               {"CEST", 120}, {"MEST", 120}, {"EET", 120},  {"EEST", 180}, {"MSK", 180},
                               {"JST", 540},  {"WET", 0},    {"WEST", 60},  {"HST", -600}};
    for (const Zone& zone : kZones)
        if (text::equals_nocase(s, zone.name)) return zone.offset_min;
    return std::nullopt;
}

std::optional<int> small(std::string_view s, int most) noexcept {
    const auto n = s.size() <= 9 ? text::to_uint(s) : std::nullopt;
    if (!n || *n > static_cast<unsigned>(most)) return std::nullopt;
    return static_cast<int>(*n);
}

// "+0130", "-5", "+01:30".
std::optional<int> numeric_zone(std::string_view s) noexcept {
    if (s.size() < 2 || (s[0] != '+' && s[0] != '-')) return std::nullopt;
    const int sign = s[0] == '-' ? -1 : 1;
    s.remove_prefix(1);
    std::string_view hours, minutes = "0";
    if (const std::size_t colon = s.find(':'); colon != std::string_view::npos)
        hours = s.substr(0, colon), minutes = s.substr(colon + 1);
    else if (s.size() > 2) hours = s.substr(0, s.size() - 2), minutes = s.substr(s.size() - 2);
    else hours = s;
    const auto h = small(hours, 99), m = small(minutes, 99);
    if (!h || !m) return std::nullopt;
    return sign * (*h * 60 + *m);
}

struct Reading {
    std::optional<int> day, month, year, hour, minute, second, zone;
    bool afternoon = false, morning = false;

    // "9:30", "09:30:37", "09:30:37.123", and a zone that is glued to it.
    bool time(std::string_view s) {
        const std::size_t zone_at = s.find_first_of("+-Zz");
        if (zone_at != std::string_view::npos) {
            zone = s[zone_at] == '+' || s[zone_at] == '-' ? numeric_zone(s.substr(zone_at)) : 0;
            s = s.substr(0, zone_at);
        }
        const auto parts = text::split(s, ':');
        if (parts.size() < 2 || parts.size() > 3) return false;
        hour = small(parts[0], 24), minute = small(parts[1], 59);
        second = parts.size() == 3 ? small(parts[2].substr(0, parts[2].find_first_of(".,")), 60) : 0;
        return hour && minute && second;
    }

    void set_year(std::string_view s) {
        year = small(s, 9999);
        if (!year) return;
        if (s.size() == 2) *year += *year < 50 ? 2000 : 1900;  // RFC 5322, 4.3
        if (s.size() == 3) *year += 1900;
    }

    void number(std::string_view s) {
        if (s.size() < 3 && !day) day = small(s, 31);
        else if (!year) set_year(s);
    }

    // "2026-11-22", "22-Nov-2026", "2026-11-22T09:30:37Z"
    bool dashed(std::string_view s) {
        const std::size_t t = s.find_first_of("Tt", 8);
        if (t != std::string_view::npos && s.find(':', t) != std::string_view::npos && text::is_digit(s[t - 1])) {
            if (!time(s.substr(t + 1))) return false;
            s = s.substr(0, t);
        }
        const auto parts = text::split(s, '-');
        if (parts.size() != 3) return false;
        if (parts[0].size() == 4) {
            set_year(parts[0]);
            month = small(parts[1], 12), day = small(parts[2], 31);
        } else {
            day = small(parts[0], 31), month = named_month(parts[1]);
            set_year(parts[2]);
        }
        return day && month && year;
    }

    void word(std::string_view s) {
        if (const int m = named_month(s); m != 0 && !month) {
            month = m;
        } else if (text::equals_nocase(s, "pm")) {
            afternoon = true;
        } else if (text::equals_nocase(s, "am")) {
            morning = true;
        } else if (!is_day_name(s) && !zone && hour) {
            const std::size_t sign = s.find_first_of("+-");  // "GMT+0100"
            zone = sign == std::string_view::npos ? named_zone(s) : numeric_zone(s.substr(sign));
        }
    }

    void token(std::string_view s) {
        if ((s[0] == '+' || s[0] == '-') && hour) {
            if (!zone) zone = numeric_zone(s);
        } else if (text::is_digit(s[0])) {
            if (s.find('-') != std::string_view::npos && !month) dashed(s);
            else if (s.find(':') != std::string_view::npos && !hour) time(s);
            else if (s.find_first_not_of("0123456789") == std::string_view::npos) number(s);
        } else if (text::is_alpha(s[0])) {
            word(s);
        }
    }
};

}  // namespace

namespace {

// Drops the white space that RFC 5322, 4.3 permits round the colons of a time.
std::string close_up(std::string_view s) {
    std::string out;
    for (const char c : s) {
        if (c == ':')
            while (!out.empty() && text::is_space(out.back())) out.pop_back();
        if (text::is_space(c) && !out.empty() && out.back() == ':') continue;
        out += c;
    }
    return out;
}

}  // namespace

int day_number(int year, int month, int day) noexcept {
    using namespace std::chrono;
    const auto first = sys_days(std::chrono::year(year) / std::chrono::month(static_cast<unsigned>(month)) / 1);
    return static_cast<int>(first.time_since_epoch().count()) + day - 1;
}

int Date::day_number() const noexcept { return message::day_number(year, month, day); }

TimePoint Date::utc() const noexcept {
    return from_unix_s(std::int64_t{day_number()} * 86400 + hour * 3600 + (minute - offset_min) * 60 + second);
}

std::optional<Date> parse_date(std::string_view value) {
    const std::string plain = close_up(without_comments(value.substr(0, kMaxDate)));
    Reading reading;
    std::size_t at = 0;
    while (at < plain.size()) {
        const std::size_t begin = plain.find_first_not_of(" \t\r\n,", at);
        if (begin == std::string::npos) break;
        at = std::min(plain.find_first_of(" \t\r\n,", begin), plain.size());
        reading.token(std::string_view(plain).substr(begin, at - begin));
    }
    if (!reading.day || !reading.month || !reading.year || *reading.day < 1 || *reading.month < 1 || *reading.year < 1)
        return std::nullopt;
    Date date;
    date.year = *reading.year, date.month = *reading.month, date.day = *reading.day;
    date.hour = reading.hour.value_or(0), date.minute = reading.minute.value_or(0),
    date.second = reading.second.value_or(0);
    if (reading.afternoon && date.hour < 12) date.hour += 12;
    if (reading.morning && date.hour == 12) date.hour = 0;
    date.offset_min = reading.zone.value_or(0);
    return date;
}

}  // namespace gk::message
