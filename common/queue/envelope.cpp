// SPDX-License-Identifier: MIT
#include "common/queue/envelope.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"

namespace gk::queue {
namespace {

std::int64_t to_us(TimePoint t) noexcept { return t.time_since_epoch().count(); }
TimePoint from_us(std::int64_t us) noexcept { return TimePoint(std::chrono::microseconds(us)); }

constexpr std::string_view kRetNames[] = {"", "FULL", "HDRS"};
constexpr std::string_view kBodyNames[] = {"7BIT", "8BITMIME", "BINARYMIME"};

void add(std::string& out, std::string_view key, std::string_view value) {
    if (value.empty()) return;
    out += fmt::format("{}={}\n", key, text::percent_encode(value));
}

void add_recipient(std::string& out, const Recipient& recipient) {
    out += "to=" + text::percent_encode(recipient.address);
    if (!recipient.orcpt.empty()) out += "\torcpt=" + text::percent_encode(recipient.orcpt);
    if (recipient.notify != kNotifyUnset) out += "\tnotify=" + format_notify(recipient.notify);
    if (!recipient.failed.empty()) out += "\tfailed=" + text::percent_encode(recipient.failed);
    if (!recipient.delivered.empty()) out += "\tdelivered=" + text::percent_encode(recipient.delivered);
    out += '\n';
}

// One "key=value" with the value decoded.
Result<std::pair<std::string_view, std::string>> parse_field(std::string_view field) {
    const auto equals = field.find('=');
    if (equals == std::string_view::npos) return fail(Errc::BadInput, "envelope field without '='");
    auto value = text::percent_decode(field.substr(equals + 1));
    if (!value) return fail(Errc::BadInput, "envelope field with a bad escape");
    return std::pair(field.substr(0, equals), std::move(*value));
}

Result<TimePoint> parse_time(std::string_view s) {
    const auto us = text::to_int(s);
    if (!us) return fail(Errc::BadInput, "envelope time is not a number");
    return from_us(*us);
}

Result<Recipient> parse_recipient(std::string_view line) {
    Recipient recipient;
    for (const auto part : text::split(line, '\t')) {
        GK_TRY(auto field, parse_field(part));
        auto& [key, value] = field;
        if (key == "to") recipient.address = std::move(value);
        else if (key == "orcpt") recipient.orcpt = std::move(value);
        else if (key == "failed") recipient.failed = std::move(value);
        else if (key == "delivered") recipient.delivered = std::move(value);
        else if (key == "notify") {
            GK_TRY(recipient.notify, parse_notify(value));
        }
    }
    if (recipient.address.empty()) return fail(Errc::BadInput, "envelope recipient without an address");
    return recipient;
}

template <class Names>
int index_of(const Names& names, std::string_view value) {
    for (int i = 0; i < static_cast<int>(std::size(names)); ++i)
        if (names[i] == value) return i;
    return -1;
}

Status set_field(Envelope& envelope, std::string_view key, std::string value) {
    if (key == "id") envelope.id = std::move(value);
    else if (key == "trace") envelope.trace_id = std::move(value);
    else if (key == "from") envelope.reverse_path = std::move(value);
    else if (key == "account") envelope.account = std::move(value);
    else if (key == "envid") envelope.envid = std::move(value);
    else if (key == "smtputf8") envelope.smtputf8 = value == "1";
    else if (key == "requiretls") envelope.require_tls = value == "1";
    else if (key == "dsn") envelope.is_dsn = value == "1";
    else if (key == "about") envelope.about = std::move(value);
    else if (key == "own") envelope.is_own = value == "1";
    else if (key == "arrival") {
        GK_TRY(envelope.arrival, parse_time(value));
    } else if (key == "hold-until") {
        GK_TRY(envelope.hold_until, parse_time(value));
    } else if (key == "ret") {
        const int i = index_of(kRetNames, value);
        if (i < 0) return fail(Errc::BadInput, "envelope with an unknown RET");
        envelope.ret = static_cast<Ret>(i);
    } else if (key == "body") {
        const int i = index_of(kBodyNames, value);
        if (i < 0) return fail(Errc::BadInput, "envelope with an unknown BODY");
        envelope.body = static_cast<Body>(i);
    }
    return ok();
}

}  // namespace

std::string format_envelope(const Envelope& e) {
    std::string out;
    add(out, "id", e.id);
    if (e.trace_id != e.id) add(out, "trace", e.trace_id);
    add(out, "from", e.reverse_path);
    add(out, "account", e.account);
    add(out, "envid", e.envid);
    add(out, "ret", kRetNames[static_cast<int>(e.ret)]);
    if (e.body != Body::SevenBit) add(out, "body", kBodyNames[static_cast<int>(e.body)]);
    if (e.smtputf8) add(out, "smtputf8", "1");
    if (e.require_tls) add(out, "requiretls", "1");
    if (e.is_dsn) add(out, "dsn", "1");
    add(out, "about", e.about);
    if (e.is_own) add(out, "own", "1");
    add(out, "arrival", std::to_string(to_us(e.arrival)));
    if (e.hold_until != TimePoint{}) add(out, "hold-until", std::to_string(to_us(e.hold_until)));
    for (const auto& recipient : e.recipients) add_recipient(out, recipient);
    return out;
}

Result<Envelope> parse_envelope(std::string_view lines) {
    Envelope envelope;
    while (!lines.empty()) {
        const auto end = lines.find('\n');
        if (end == std::string_view::npos) return fail(Errc::BadInput, "envelope ends within a line");
        const auto line = lines.substr(0, end);
        lines.remove_prefix(end + 1);
        if (line.starts_with("to=")) {
            GK_TRY(auto recipient, parse_recipient(line));
            envelope.recipients.push_back(std::move(recipient));
            continue;
        }
        GK_TRY(auto field, parse_field(line));
        GK_CHECK(set_field(envelope, field.first, std::move(field.second)));
    }
    if (!is_queue_id(envelope.id)) return fail(Errc::BadInput, "envelope without a valid id");
    if (envelope.recipients.empty()) return fail(Errc::BadInput, "envelope without recipients");
    if (envelope.trace_id.empty()) envelope.trace_id = envelope.id;
    return envelope;
}

std::string format_notify(unsigned notify) {
    if (notify & kNotifyNever) return "NEVER";
    std::string out;
    const auto word = [&](unsigned bit, std::string_view name) {
        if (!(notify & bit)) return;
        if (!out.empty()) out += ',';
        out += name;
    };
    word(kNotifySuccess, "SUCCESS");
    word(kNotifyFailure, "FAILURE");
    word(kNotifyDelay, "DELAY");
    return out;
}

Result<unsigned> parse_notify(std::string_view s) {
    unsigned notify = 0;
    for (const auto word : text::split(s, ',')) {
        if (text::equals_nocase(word, "NEVER")) notify |= kNotifyNever;
        else if (text::equals_nocase(word, "SUCCESS")) notify |= kNotifySuccess;
        else if (text::equals_nocase(word, "FAILURE")) notify |= kNotifyFailure;
        else if (text::equals_nocase(word, "DELAY")) notify |= kNotifyDelay;
        else return fail(Errc::BadInput, fmt::format("'{}' is not a NOTIFY value", text::printable(word, 40)));
    }
    // RFC 3461, 4.1: NEVER stands alone.
    if ((notify & kNotifyNever) && notify != kNotifyNever)
        return fail(Errc::BadInput, "NOTIFY=NEVER allows no other value");
    return notify;
}

bool is_queue_id(std::string_view id) noexcept {
    if (id.empty() || id.size() > 64) return false;
    for (const char c : id)
        if (!text::is_alpha(c) && !text::is_digit(c)) return false;
    return true;
}

}  // namespace gk::queue
