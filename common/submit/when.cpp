// SPDX-License-Identifier: MIT
#include "common/submit/when.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <cstdlib>
#include <ctime>
#include <optional>

#include "common/base/text.hpp"

namespace gk::submit {
namespace {

constexpr std::int64_t kDay = 86'400;

struct Clock {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    bool operator==(const Clock&) const = default;
};

tl::unexpected<Error> no_time(std::string_view text) {
    return fail(Errc::BadInput,
                fmt::format("'{}' is not a time: +2h, 2027-01-31 09:00 Europe/Berlin, or tomorrow 09:00",
                            text::printable(text, 80)));
}

// TZ for as long as it lives; "" for the machine's.
class Zone {
public:
    explicit Zone(const std::string& name) {
        if (const char* before = std::getenv("TZ")) before_ = before;
        if (!name.empty()) ::setenv("TZ", name.c_str(), 1);
        ::tzset();
    }
    ~Zone() {
        if (before_) ::setenv("TZ", before_->c_str(), 1);
        else ::unsetenv("TZ");
        ::tzset();
    }
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;

private:
    std::optional<std::string> before_;
};

// A name of the tz database, UTC, Z or ±HH:MM, as TZ wants it.
std::optional<std::string> zone_of(std::string_view word) {
    if (text::equals_nocase(word, "Z") || text::equals_nocase(word, "UTC")) return ":UTC";
    if (word.size() == 6 && (word[0] == '+' || word[0] == '-') && word[3] == ':') {
        const auto hours = text::to_uint(word.substr(1, 2)), minutes = text::to_uint(word.substr(4));
        if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
        // POSIX counts west of Greenwich.
        return fmt::format("OFF{}{}", word[0] == '+' ? '-' : '+', word.substr(1));
    }
    if (word.empty() || word[0] == '/' || word.find("..") != std::string_view::npos) return std::nullopt;
    for (const char c : word)
        if (!text::is_alpha(c) && !text::is_digit(c) && std::string_view("/_+-").find(c) == std::string_view::npos)
            return std::nullopt;
    struct stat status {};
    const std::string path = "/usr/share/zoneinfo/" + std::string(word);
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    return ":" + std::string(word);
}

bool take_number(std::string_view& s, std::size_t digits, int& value) {
    const auto number = s.size() >= digits ? text::to_uint(s.substr(0, digits)) : std::nullopt;
    if (!number) return false;
    value = static_cast<int>(*number);
    s.remove_prefix(digits);
    return true;
}
bool take(std::string_view& s, char c) {
    if (!s.starts_with(c)) return false;
    s.remove_prefix(1);
    return true;
}

bool parse_date(std::string_view s, Clock& clock) {
    return take_number(s, 4, clock.year) && take(s, '-') && take_number(s, 2, clock.month) && take(s, '-') &&
           take_number(s, 2, clock.day) && s.empty() && clock.month >= 1 && clock.month <= 12 && clock.day >= 1 &&
           clock.day <= 31;
}
bool parse_time(std::string_view s, Clock& clock) {
    if (!take_number(s, 2, clock.hour) || !take(s, ':') || !take_number(s, 2, clock.minute)) return false;
    if (take(s, ':') && !take_number(s, 2, clock.second)) return false;
    return s.empty() && clock.hour < 24 && clock.minute < 60 && clock.second < 60;
}

Clock clock_at(std::time_t t) {
    std::tm tm{};
    ::localtime_r(&t, &tm);
    return {tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec};
}

// The moments at which clocks of the zone in force show CLOCK: none, one or two.
std::pair<std::optional<std::time_t>, std::optional<std::time_t>> moments(const Clock& clock) {
    std::optional<std::time_t> first, second;
    for (const int dst : {1, 0, -1}) {
        std::tm tm{};
        tm.tm_year = clock.year - 1900;
        tm.tm_mon = clock.month - 1;
        tm.tm_mday = clock.day;
        tm.tm_hour = clock.hour;
        tm.tm_min = clock.minute;
        tm.tm_sec = clock.second;
        tm.tm_isdst = dst;
        const std::time_t t = ::mktime(&tm);
        if (!(clock_at(t) == clock) || t == first || t == second) continue;
        (first ? second : first) = t;
    }
    if (first && second && *second < *first) std::swap(first, second);
    return {first, second};
}

std::string shown(const Clock& c) {
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute);
}

}  // namespace

Result<When> parse_when(std::string_view text, TimePoint now) {
    const auto s = text::trim(text);
    const auto later = [&](When when) -> Result<When> {
        if (when.at > now) return when;
        return fail(Errc::BadInput, fmt::format("'{}' is past: it would have been {}", text::printable(text, 80),
                                                format_rfc3339(when.at)));
    };
    if (s.starts_with('+') && s.find(':') == std::string_view::npos) {
        const auto wait = text::to_duration_s(s.substr(1));
        if (!wait || *wait <= 0 || *wait > 36'500 * kDay) return no_time(text);
        return When{now + std::chrono::seconds(*wait), {}};
    }
    if (const auto exact = parse_rfc3339(s)) return later({*exact, {}});

    auto words = text::words(s);
    Clock clock;
    int days = 0;
    bool dated = false, next = false;
    std::size_t at = 0;
    if (words.empty()) return no_time(text);
    if (text::equals_nocase(words[0], "today")) ++at;
    else if (text::equals_nocase(words[0], "tomorrow")) days = 1;
    else if (parse_date(words[0], clock)) dated = true;
    else next = true;
    if (days == 1 || dated) ++at;
    if (at >= words.size() || !parse_time(words[at++], clock)) return no_time(text);
    std::string zone;
    if (at < words.size()) {
        const auto found = zone_of(words[at]);
        if (!found)
            return fail(Errc::BadInput,
                        fmt::format("'{}' is no time zone here: a name as Europe/Berlin, UTC, or +01:00",
                                    text::printable(words[at], 60)));
        zone = *found;
        ++at;
    }
    if (at != words.size()) return no_time(text);

    const Zone in_force(zone);
    const auto on = [&](int offset) {
        std::time_t t = to_unix_s(now);
        std::tm tm{};
        ::localtime_r(&t, &tm);
        tm.tm_mday += offset;
        tm.tm_hour = 12;  // noon is on the day that is meant, whatever the clocks do
        tm.tm_isdst = -1;
        const Clock day = clock_at(::mktime(&tm));
        Clock out = clock;
        out.year = day.year, out.month = day.month, out.day = day.day;
        return out;
    };
    if (!dated) clock = on(days);
    auto [first, second] = moments(clock);
    if (next && first && from_unix_s(*first) <= now) {
        clock = on(1);
        std::tie(first, second) = moments(clock);
    }
    if (!first)
        return fail(Errc::BadInput,
                    fmt::format("clocks{} do not show {}: there is no such day, or they go forward over it",
                                zone.empty() ? "" : " of that zone", shown(clock)));
    When when{from_unix_s(*first), {}};
    if (second)
        when.note = fmt::format("clocks show {} twice, as they go back: the first is taken, {}", shown(clock),
                                format_rfc3339(when.at));
    return later(std::move(when));
}

}  // namespace gk::submit
