// SPDX-License-Identifier: MIT
#include "common/imap/grammar/scanner.hpp"

#include <fmt/format.h>
#include <chrono>

#include "common/base/text.hpp"
#include "common/imap/grammar/parser.hpp"

namespace gk::imap {

namespace {

bool is_astring_char(unsigned char c) { return is_atom_char(c) || c == ']'; }
bool is_list_char(unsigned char c) { return is_astring_char(c) || c == '%' || c == '*' || c >= 0x80; }
bool is_tag_char(unsigned char c) { return is_astring_char(c) && c != '+'; }
bool is_digit_char(unsigned char c) { return c >= '0' && c <= '9'; }

constexpr std::string_view kSystemFlags[] = {"\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

// RFC 3501, 9: any CHAR but "(" ")" "{" SP CTL, list-wildcards, quoted-specials and "]".
bool is_atom_char(unsigned char c) noexcept {
    if (c <= ' ' || c >= 0x7f) return false;
    switch (c) {
        case '(':
        case ')':
        case '{':
        case '%':
        case '*':
        case '"':
        case '\\':
        case ']': return false;
        default: return true;
    }
}

void Scanner::fail(std::string text) {
    if (error_.empty()) error_ = std::move(text);
    at_ = text_.size();
}

bool Scanner::accept(char c) noexcept {
    if (!next_is(c)) return false;
    ++at_;
    return true;
}

void Scanner::expect(char c) {
    if (accept(c) || failed()) return;
    const std::string wanted = c == ' ' ? "a space" : fmt::format("'{}'", c);
    if (at_end()) fail(fmt::format("{} is missing at the end", wanted));
    else fail(fmt::format("{} expected before '{}'", wanted, text::printable(text_.substr(at_), 20)));
}

void Scanner::expect_end() {
    if (!at_end()) fail(fmt::format("unexpected '{}'", text::printable(text_.substr(at_), 20)));
}

bool Scanner::accept_word(std::string_view word) noexcept {
    if (!text::starts_with_nocase(text_.substr(at_), word)) return false;
    const std::size_t after = at_ + word.size();
    if (after < text_.size() && is_atom_char(static_cast<unsigned char>(text_[after])) && text_[after] != '[')
        return false;
    at_ = after;
    return true;
}

std::string Scanner::take_while(bool (*wanted)(unsigned char)) {
    const std::size_t from = at_;
    while (!at_end() && wanted(static_cast<unsigned char>(text_[at_]))) ++at_;
    return std::string(text_.substr(from, at_ - from));
}

std::string Scanner::tag() {
    std::string tag = take_while(is_tag_char);
    if (tag.empty()) fail("a tag is missing");
    return tag;
}

std::string Scanner::word() { return text::upper(atom()); }

std::string Scanner::atom() {
    std::string atom = take_while([](unsigned char c) { return is_atom_char(c); });
    if (atom.empty() && !failed()) {
        if (at_end()) fail("something is missing at the end");
        else fail(fmt::format("a word expected before '{}'", text::printable(text_.substr(at_), 20)));
    }
    return atom;
}

std::string Scanner::quoted() {
    expect('"');
    std::string value;
    while (!at_end()) {
        const char c = text_[at_++];
        if (c == '"') {
            if (!text::is_utf8(value)) fail("a quoted string is not UTF-8");
            return value;
        }
        if (c == '\\') {
            if (!next_is('"') && !next_is('\\')) break;
            value += text_[at_++];
        } else if (c == '\0' || c == '\r' || c == '\n') {
            break;
        } else {
            value += c;
        }
    }
    fail("a quoted string is malformed");
    return {};
}

std::string Scanner::literal(bool with_nul) {
    accept('~');
    const std::size_t line_end = text_.find("\r\n", at_);
    const auto mark =
        line_end == std::string_view::npos ? std::nullopt : literal_mark(text_.substr(at_, line_end - at_));
    if (!mark || mark->at != 0 || text_.size() - line_end - 2 < mark->size) {
        fail("a literal is malformed");
        return {};
    }
    std::string value(text_.substr(line_end + 2, mark->size));
    at_ = line_end + 2 + mark->size;
    if (!with_nul && value.find('\0') != std::string::npos) {
        fail("a NUL in a literal");
        return {};
    }
    return value;
}

std::string Scanner::string() {
    if (next_is('"')) return quoted();
    if (next_is('{')) return literal();
    if (!failed()) fail(at_end() ? "a string is missing at the end" : "a string expected");
    return {};
}

std::string Scanner::astring() {
    if (next_is('"') || next_is('{')) return string();
    std::string value = take_while(is_astring_char);
    if (value.empty() && !failed()) {
        if (at_end()) fail("an argument is missing at the end");
        else fail(fmt::format("an argument expected before '{}'", text::printable(text_.substr(at_), 20)));
    }
    return value;
}

std::optional<std::string> Scanner::nstring() {
    if (accept_word("NIL")) return std::nullopt;
    return string();
}

std::optional<std::string> Scanner::nstring8() {
    if (next_is('~')) return literal(true);
    return nstring();
}

std::string Scanner::mailbox() {
    std::string name = astring();
    if (text::equals_nocase(name, "INBOX")) return "INBOX";  // RFC 3501, 5.1
    return name;
}

std::string Scanner::list_mailbox() {
    if (next_is('"') || next_is('{')) return string();
    std::string value = take_while(is_list_char);
    if (value.empty() && !failed()) fail("a mailbox pattern is missing");
    return value;
}

std::uint64_t Scanner::number64() {
    const std::string digits = take_while(is_digit_char);
    const auto value = text::to_uint(digits);
    if (!value || *value > INT64_MAX) {
        if (!failed()) fail(digits.empty() ? "a number expected" : "a number is too large");
        return 0;
    }
    return *value;
}

// objectid = 1*255(ALPHA / DIGIT / "_" / "-")
std::string Scanner::object_id() {
    std::string id = take_while([](unsigned char c) {
        return text::is_alpha(static_cast<char>(c)) || is_digit_char(c) || c == '_' || c == '-';
    });
    if (id.empty() || id.size() > 255) fail("an object's id expected");
    return id;
}

std::uint32_t Scanner::number() {
    const std::uint64_t value = number64();
    if (value > UINT32_MAX) fail("a number is too large");
    return failed() ? 0 : static_cast<std::uint32_t>(value);
}

std::uint32_t Scanner::nz_number() {
    const std::uint32_t value = number();
    if (value == 0) fail("a number may not be zero");
    return value;
}

std::uint64_t Scanner::nz_number64() {
    const std::uint64_t value = number64();
    if (value == 0) fail("a number may not be zero");
    return value;
}

std::uint32_t Scanner::sequence_number() { return accept('*') ? kLargest : nz_number(); }

SequenceSet Scanner::sequence_set() {
    SequenceSet set;
    if (accept('$')) {
        set.saved = true;
        return set;
    }
    do {
        SequenceRange range;
        range.first = range.last = sequence_number();
        if (accept(':')) range.last = sequence_number();
        set.ranges.push_back(range);
        if (set.ranges.size() > kMaxSequenceRanges) fail("too many ranges in a set");
    } while (accept(','));
    return set;
}

std::string Scanner::flag() {
    if (!accept('\\')) return atom();
    std::string name = '\\' + atom();
    for (const std::string_view known : kSystemFlags)
        if (text::equals_nocase(name, known)) return std::string(known);
    return name;
}

std::vector<std::string> Scanner::flag_list() {
    std::vector<std::string> flags;
    expect('(');
    if (accept(')')) return flags;
    do flags.push_back(flag());
    while (accept(' '));
    expect(')');
    return flags;
}

// date = 1*2DIGIT "-" month "-" 4DIGIT
std::int64_t Scanner::day_month_year() {
    const std::uint32_t day = number();
    expect('-');
    const std::string month = take_while([](unsigned char c) { return text::is_alpha(static_cast<char>(c)); });
    expect('-');
    const std::size_t year_at = at_;
    const std::uint32_t year = number();
    unsigned month_number = 0;
    for (unsigned i = 0; i < 12; ++i)
        if (text::equals_nocase(month, kMonths[i])) month_number = i + 1;
    if (failed()) return 0;
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)), std::chrono::month(month_number),
                                           std::chrono::day(day)};
    if (at_ - year_at != 4 || month_number == 0 || !date.ok()) {
        fail("a date is malformed: use 1-Feb-2026");
        return 0;
    }
    return std::chrono::sys_days(date).time_since_epoch().count();
}

std::int64_t Scanner::date_day() {
    const bool in_quotes = accept('"');
    const std::int64_t day = day_month_year();
    if (in_quotes) expect('"');
    return day;
}

// date-time = DQUOTE (SP DIGIT / 2DIGIT) "-" month "-" 4DIGIT SP hh:mm:ss SP ("+" / "-") 4DIGIT DQUOTE
std::int64_t Scanner::date_time() {
    expect('"');
    accept(' ');
    const std::int64_t day = day_month_year();
    space();
    const std::uint32_t hour = number();
    expect(':');
    const std::uint32_t minute = number();
    expect(':');
    const std::uint32_t second = number();
    space();
    const bool west = accept('-');
    if (!west) expect('+');
    const std::size_t zone_at = at_;
    const std::uint32_t zone = number();
    if (!failed() && (hour > 23 || minute > 59 || second > 60 || at_ - zone_at != 4 || zone % 100 > 59))
        fail("a date and time is malformed");
    expect('"');
    if (failed()) return 0;
    const std::int64_t offset = (zone / 100) * 3600 + (zone % 100) * 60;
    return day * 86400 + hour * 3600 + minute * 60 + second - (west ? -offset : offset);
}

}  // namespace gk::imap
