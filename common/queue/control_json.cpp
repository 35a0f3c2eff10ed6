// SPDX-License-Identifier: MIT
#include "common/queue/control_json.hpp"

#include "common/base/text.hpp"

namespace gk::queue {
namespace {

namespace json = boost::json;

constexpr std::pair<std::string_view, By> kBy[] = {
    {"destination", By::Destination}, {"sender", By::Sender}, {"account", By::Account}, {"age", By::Age}};

constexpr std::pair<std::string_view, std::string message::DeliveryReport::Recipient::*> kReported[] = {
    {"original", &message::DeliveryReport::Recipient::original},
    {"final", &message::DeliveryReport::Recipient::final},
    {"action", &message::DeliveryReport::Recipient::action},
    {"status", &message::DeliveryReport::Recipient::status},
    {"text", &message::DeliveryReport::Recipient::diagnostic}};

constexpr std::pair<std::string_view, std::string Bounce::*> kBounce[] = {{"id", &Bounce::queue},
                                                                          {"trace", &Bounce::trace},
                                                                          {"account", &Bounce::account},
                                                                          {"recipient", &Bounce::recipient},
                                                                          {"action", &Bounce::action},
                                                                          {"status", &Bounce::status},
                                                                          {"text", &Bounce::text},
                                                                          {"mta", &Bounce::reporting_mta},
                                                                          {"message_id", &Bounce::message_id}};

std::int64_t us_of(TimePoint t) { return t.time_since_epoch().count(); }

TimePoint time_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value && value->is_int64() ? TimePoint(std::chrono::microseconds(value->as_int64())) : TimePoint{};
}

json::object hop_object(const Hop& hop) {
    return {{"recipient", hop.recipient},
            {"route", hop.route},
            {"drained", hop.drained},
            {"sessions", hop.sessions},
            {"most_sessions", hop.most_sessions},
            {"waiting", hop.waiting},
            {"down_until", us_of(hop.down_until)},
            {"failures", hop.failures},
            {"refusals", hop.refusals},
            {"most_a_minute", hop.most_a_minute},
            {"state", hop.state},
            {"reason", hop.reason},
            {"peer", hop.peer}};
}

Hop hop_from(const json::object& o) {
    Hop hop;
    hop.recipient = number_of(o, "recipient");
    hop.route = text_of(o, "route");
    hop.drained = flag_of(o, "drained");
    hop.sessions = static_cast<unsigned>(number_of(o, "sessions"));
    hop.most_sessions = static_cast<unsigned>(number_of(o, "most_sessions"));
    hop.waiting = number_of(o, "waiting");
    hop.down_until = time_of(o, "down_until");
    hop.failures = static_cast<unsigned>(number_of(o, "failures"));
    hop.refusals = static_cast<unsigned>(number_of(o, "refusals"));
    hop.most_a_minute = static_cast<unsigned>(number_of(o, "most_a_minute"));
    hop.state = text_of(o, "state");
    hop.reason = text_of(o, "reason");
    hop.peer = text_of(o, "peer");
    return hop;
}

}  // namespace

std::string text_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::uint64_t number_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    if (!value) return 0;
    if (value->is_uint64()) return value->as_uint64();
    return value->is_int64() && value->as_int64() > 0 ? static_cast<std::uint64_t>(value->as_int64()) : 0;
}

bool flag_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value && value->is_bool() && value->as_bool();
}

std::vector<std::string> texts_of(const json::object& object, std::string_view key) {
    std::vector<std::string> texts;
    if (const auto* value = object.if_contains(key); value && value->is_array())
        for (const auto& item : value->as_array())
            if (item.is_string()) texts.emplace_back(item.as_string());
    return texts;
}

std::string_view name_of(By by) noexcept {
    for (const auto& [name, value] : kBy)
        if (value == by) return name;
    return {};
}

std::optional<By> by_of(std::string_view wanted) noexcept {
    for (const auto& [name, value] : kBy)
        if (name == wanted) return value;
    return std::nullopt;
}

json::object to_request(const Filter& f) {
    return {{"op", "list"},          {"sender", f.sender},        {"recipient", f.recipient},
            {"status", f.status},    {"limit", f.limit},          {"account", f.account},
            {"reason", f.reason},    {"before", us_of(f.before)}, {"after", us_of(f.after)},
            {"next_hop", f.next_hop}};
}

Filter filter_from(const json::object& o) {
    Filter f;
    f.sender = text_of(o, "sender");
    f.recipient = text_of(o, "recipient");
    f.status = text_of(o, "status");
    f.limit = number_of(o, "limit");
    f.account = text_of(o, "account");
    f.reason = text_of(o, "reason");
    f.before = time_of(o, "before");
    f.after = time_of(o, "after");
    f.next_hop = text_of(o, "next_hop");
    return f;
}

json::object detail_answer(const Detail& detail) {
    std::string outcomes;
    for (const auto& outcome : detail.outcomes) outcomes += format_outcome(outcome);
    return {{"ok", true},
            {"envelope", format_envelope(detail.envelope)},
            {"outcomes", outcomes},
            {"size", detail.size},
            {"status", detail.status}};
}

Result<Detail> detail_from(const json::object& line) {
    Detail detail;
    GK_TRY(detail.envelope, parse_envelope(text_of(line, "envelope")));
    detail.outcomes = parse_outcomes(text_of(line, "outcomes"));
    detail.size = number_of(line, "size");
    detail.status = text_of(line, "status");
    return detail;
}

json::object facts_answer(const Facts& facts) {
    auto object = detail_answer(facts.detail);
    object["gives_up"] = us_of(facts.gives_up);
    object["warns"] = us_of(facts.warns);
    json::array hops;
    for (const auto& hop : facts.hops) hops.push_back(hop_object(hop));
    object["hops"] = std::move(hops);
    return object;
}

Result<Facts> facts_from(const json::object& line) {
    Facts facts;
    facts.running = true;
    GK_TRY(facts.detail, detail_from(line));
    facts.gives_up = time_of(line, "gives_up");
    facts.warns = time_of(line, "warns");
    if (const auto* hops = line.if_contains("hops"); hops && hops->is_array())
        for (const auto& hop : hops->as_array())
            if (hop.is_object()) facts.hops.push_back(hop_from(hop.as_object()));
    return facts;
}

json::object stat_object(const Stat& s) {
    json::object object{{"name", s.name},
                        {"messages", s.messages},
                        {"held", s.held},
                        {"size", s.size},
                        {"oldest", us_of(s.oldest)},
                        {"reason", s.reason},
                        {"route", s.route},
                        {"state", s.state},
                        {"until", us_of(s.until)},
                        {"sessions", s.sessions},
                        {"ages", json::value_from(s.ages)}};
    if (s.next) object["next"] = us_of(*s.next);
    return object;
}

Stat stat_from(const json::object& o) {
    Stat s;
    s.name = text_of(o, "name");
    s.messages = number_of(o, "messages");
    s.held = number_of(o, "held");
    s.size = number_of(o, "size");
    s.oldest = time_of(o, "oldest");
    s.reason = text_of(o, "reason");
    s.route = text_of(o, "route");
    s.state = text_of(o, "state");
    s.until = time_of(o, "until");
    s.sessions = static_cast<unsigned>(number_of(o, "sessions"));
    if (o.contains("next")) s.next = time_of(o, "next");
    if (const auto* ages = o.if_contains("ages"); ages && ages->is_array())
        for (std::size_t i = 0; i < s.ages.size() && i < ages->as_array().size(); ++i)
            if (const auto& n = ages->as_array()[i]; n.is_int64()) s.ages[i] = static_cast<std::uint64_t>(n.as_int64());
    return s;
}

message::DeliveryReport report_of(const json::object& request) {
    message::DeliveryReport report{
        text_of(request, "envid"), text_of(request, "mta"), text_of(request, "message_id"), {}};
    const auto* recipients = request.if_contains("recipients");
    if (!recipients || !recipients->is_array()) return report;
    for (const auto& each : recipients->as_array()) {
        if (!each.is_object() || report.recipients.size() == message::kMostReported) continue;
        auto& recipient = report.recipients.emplace_back();
        for (const auto& [name, member] : kReported) recipient.*member = text_of(each.as_object(), name);
    }
    return report;
}

json::object report_request(const std::string& account, const message::DeliveryReport& report) {
    json::array recipients;
    for (const auto& each : report.recipients) {
        json::object recipient;
        for (const auto& [name, member] : kReported) recipient[name] = each.*member;
        recipients.push_back(std::move(recipient));
    }
    return {{"op", "report"},
            {"account", account},
            {"envid", report.envelope_id},
            {"mta", report.reporting_mta},
            {"message_id", report.message_id},
            {"recipients", std::move(recipients)}};
}

json::object to_json(const Summary& s) {
    json::object object{{"v", 1},
                        {"id", s.id},
                        {"trace", s.trace_id},
                        {"status", s.status},
                        {"sender", s.sender},
                        {"size", s.size},
                        {"arrival", format_rfc3339(s.arrival)},
                        {"attempts", s.attempts},
                        {"recipients", json::value_from(s.recipients)},
                        {"recipients_total", s.recipients_total},
                        {"reason", s.reason}};
    if (!s.account.empty()) object["account"] = s.account;
    if (s.next) object["next"] = format_rfc3339(std::max(*s.next, s.arrival));
    return object;
}

Summary summary_from(const json::object& object) {
    Summary s;
    s.id = text_of(object, "id");
    s.trace_id = text_of(object, "trace");
    s.status = text_of(object, "status");
    s.sender = text_of(object, "sender");
    s.reason = text_of(object, "reason");
    s.account = text_of(object, "account");
    s.size = number_of(object, "size");
    s.attempts = static_cast<unsigned>(number_of(object, "attempts"));
    s.recipients_total = number_of(object, "recipients_total");
    s.arrival = parse_rfc3339(text_of(object, "arrival")).value_or(TimePoint{});
    s.next = parse_rfc3339(text_of(object, "next"));
    if (const auto* recipients = object.if_contains("recipients"); recipients && recipients->is_array())
        for (const auto& r : recipients->as_array())
            if (r.is_string()) s.recipients.emplace_back(r.as_string());
    return s;
}

json::object to_json(const Bounce& bounce) {
    json::object object{{"v", 1}, {"time", format_rfc3339(bounce.at)}};
    for (const auto& [name, member] : kBounce) object[name] = bounce.*member;
    return object;
}

Bounce bounce_from(const json::object& object) {
    Bounce bounce;
    for (const auto& [name, member] : kBounce) bounce.*member = text_of(object, name);
    bounce.at = parse_rfc3339(text_of(object, "time")).value_or(TimePoint{});
    return bounce;
}

json::object error_object(const Error& error) {
    return {{"ok", false}, {"code", std::string(errc_name(error.code))}, {"text", error.text}};
}

Error error_of(const json::object& answer) {
    const std::string code = text_of(answer, "code");
    for (int i = 0; i <= static_cast<int>(Errc::Bug); ++i)
        if (errc_name(static_cast<Errc>(i)) == code) return Error{static_cast<Errc>(i), text_of(answer, "text")};
    return Error{Errc::Temporary, text_of(answer, "text")};
}

}  // namespace gk::queue
