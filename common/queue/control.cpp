// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <boost/json.hpp>

#include "common/base/text.hpp"
#include "common/net/stream.hpp"
#include "common/queue/access.hpp"
#include "common/queue/json.hpp"

// Both ends of the control socket.
namespace gk::queue {
namespace {

namespace json = boost::json;

// An envelope of 10,000 recipients and its outcomes go over as one line.
constexpr std::size_t kMaxLine = 512u << 20;
constexpr std::size_t kMaxRequest = 1 << 20;  // a report of 100 recipients
constexpr net::milliseconds kTimeout{60'000};
constexpr net::milliseconds kReportTimeout{3'000};  // a delivery waits for it
constexpr net::milliseconds kClientPatience{300'000};

constexpr Action kActions[] = {Action::Hold,   Action::Release,  Action::Retry,  Action::Delete,
                               Action::Bounce, Action::Redirect, Action::Reroute};
constexpr std::pair<std::string_view, By> kBy[] = {
    {"destination", By::Destination}, {"sender", By::Sender}, {"account", By::Account}};
// Of a message's bytes in one answer.
constexpr std::size_t kMostRead = 1 << 20;

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

std::int64_t us_of(TimePoint t) { return t.time_since_epoch().count(); }

TimePoint time_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value && value->is_int64() ? TimePoint(std::chrono::microseconds(value->as_int64())) : TimePoint{};
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

json::object hop_object(const Hop& hop) {
    return {{"recipient", hop.recipient},
            {"route", hop.route},
            {"drained", hop.drained},
            {"sessions", hop.sessions},
            {"most_sessions", hop.most_sessions},
            {"waiting", hop.waiting},
            {"down_until", us_of(hop.down_until)},
            {"failures", hop.failures},
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
    hop.reason = text_of(o, "reason");
    hop.peer = text_of(o, "peer");
    return hop;
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

json::object error_object(const Error& error) {
    return {{"ok", false}, {"code", std::string(errc_name(error.code))}, {"text", error.text}};
}

Error error_of(const json::object& answer) {
    const std::string code = text_of(answer, "code");
    for (int i = 0; i <= static_cast<int>(Errc::Bug); ++i)
        if (errc_name(static_cast<Errc>(i)) == code) return Error{static_cast<Errc>(i), text_of(answer, "text")};
    return Error{Errc::Temporary, text_of(answer, "text")};
}

constexpr std::pair<std::string_view, std::string message::DeliveryReport::Recipient::*> kReported[] = {
    {"original", &message::DeliveryReport::Recipient::original},
    {"final", &message::DeliveryReport::Recipient::final},
    {"action", &message::DeliveryReport::Recipient::action},
    {"status", &message::DeliveryReport::Recipient::status},
    {"text", &message::DeliveryReport::Recipient::diagnostic}};

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

constexpr std::pair<std::string_view, std::string Bounce::*> kBounce[] = {{"id", &Bounce::queue},
                                                                          {"trace", &Bounce::trace},
                                                                          {"account", &Bounce::account},
                                                                          {"recipient", &Bounce::recipient},
                                                                          {"action", &Bounce::action},
                                                                          {"status", &Bounce::status},
                                                                          {"text", &Bounce::text},
                                                                          {"mta", &Bounce::reporting_mta},
                                                                          {"message_id", &Bounce::message_id}};

json::object answer(const json::object& request, Access& access,
                    const std::function<Status(const json::object&)>& send) {
    const std::string op = text_of(request, "op"), id = text_of(request, "id");
    if (op == "list") {
        Status sent = ok();
        auto done = access.list(filter_from(request), [&](const Summary& s) {
            if (sent) sent = send({{"message", to_json(s)}});
        });
        if (!done) return error_object(done.error());
        return {{"ok", true}};
    }
    if (op == "show") {
        auto detail = access.show(id);
        return detail ? detail_answer(*detail) : error_object(detail.error());
    }
    if (op == "explain") {
        auto facts = access.explain(id);
        if (!facts) return error_object(facts.error());
        auto object = detail_answer(facts->detail);
        object["gives_up"] = us_of(facts->gives_up);
        object["warns"] = us_of(facts->warns);
        json::array hops;
        for (const auto& hop : facts->hops) hops.push_back(hop_object(hop));
        object["hops"] = std::move(hops);
        return object;
    }
    if (op == "read") {
        auto bytes = access.read(id, number_of(request, "offset"), kMostRead);
        if (!bytes) return error_object(bytes.error());
        return {{"ok", true}, {"bytes", text::to_base64(*bytes)}};
    }
    if (op == "schedule") {
        const auto until = parse_rfc3339(text_of(request, "until"));
        if (!until) return error_object({Errc::BadInput, "schedule wants until, a time as in RFC 3339"});
        auto done = access.schedule(id, *until);
        return done ? json::object{{"ok", true}} : error_object(done.error());
    }
    if (op == "flush") {
        auto count = access.flush();
        if (!count) return error_object(count.error());
        return {{"ok", true}, {"count", *count}};
    }
    if (op == "bounces") {
        Status sent = ok();
        auto done = access.bounces([&](const Bounce& bounce) {
            if (sent) sent = send({{"bounce", to_json(bounce)}});
        });
        return done ? json::object{{"ok", true}} : error_object(done.error());
    }
    if (op == "report") {
        auto done = access.take_report(text_of(request, "account"), report_of(request));
        return done ? json::object{{"ok", true}, {"known", *done}} : error_object(done.error());
    }
    if (op == "stats") {
        for (const auto& [name, by] : kBy) {
            if (name != text_of(request, "by")) continue;
            auto rows = access.stats(by);
            if (!rows) return error_object(rows.error());
            json::array stats;
            for (const auto& row : *rows) stats.push_back(stat_object(row));
            return {{"ok", true}, {"stats", std::move(stats)}};
        }
        return error_object({Errc::BadInput, "stats by what?"});
    }
    if (op == "drain") {
        std::optional<DrainChange> change;
        if (const auto set = text_of(request, "set"); !set.empty())
            change = DrainChange{set == "on", text_of(request, "domain")};
        auto drained = access.drain(change);
        if (!drained) return error_object(drained.error());
        return {{"ok", true}, {"drained", json::value_from(*drained)}};
    }
    for (const auto action : kActions) {
        if (op != action_name(action)) continue;
        Command command(action);
        command.to = texts_of(request, "to");
        command.via = text_of(request, "via");
        command.reason = text_of(request, "reason");
        auto done = access.change(command, id);
        return done ? json::object{{"ok", true}} : error_object(done.error());
    }
    return error_object({Errc::BadInput, fmt::format("unknown op '{}'", text::printable(op, 40))});
}

class SocketAccess final : public Access {
public:
    explicit SocketAccess(std::unique_ptr<net::SocketStream> socket, net::milliseconds timeout = kTimeout)
        : socket_(std::move(socket)), reader_(*socket_, kMaxLine), timeout_(timeout) {}

    Status list(const Filter& filter, const std::function<void(const Summary&)>& each) override {
        GK_CHECK(send(to_request(filter)));
        for (;;) {
            GK_TRY(const json::object line, receive());
            const auto* message = line.if_contains("message");
            if (!message) return ok();
            if (message->is_object()) each(summary_from(message->as_object()));
        }
    }

    Result<Detail> show(const std::string& id) override {
        GK_CHECK(send({{"op", "show"}, {"id", id}}));
        GK_TRY(const json::object line, receive());
        return detail_from(line);
    }

    Result<Facts> explain(const std::string& id) override {
        GK_CHECK(send({{"op", "explain"}, {"id", id}}));
        GK_TRY(const json::object line, receive());
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

    Result<std::string> read(const std::string& id, std::uint64_t offset, std::size_t) override {
        GK_CHECK(send({{"op", "read"}, {"id", id}, {"offset", offset}}));
        GK_TRY(const json::object line, receive());
        auto bytes = text::from_base64(text_of(line, "bytes"));
        if (!bytes) return fail(Errc::Bug, "gk-queue's answer is no base64");
        return std::move(*bytes);
    }

    Status change(const Command& command, const std::string& id) override {
        GK_CHECK(send({{"op", std::string(action_name(command.action))},
                       {"id", id},
                       {"to", json::value_from(command.to)},
                       {"via", command.via},
                       {"reason", command.reason}}));
        GK_TRY(const json::object line, receive());
        return ok();
    }

    Status schedule(const std::string& id, TimePoint until) override {
        GK_CHECK(send({{"op", "schedule"}, {"id", id}, {"until", format_rfc3339(until)}}));
        GK_TRY(const json::object line, receive());
        return ok();
    }

    Result<std::vector<Stat>> stats(By by) override {
        for (const auto& [name, value] : kBy)
            if (value == by) GK_CHECK(send({{"op", "stats"}, {"by", std::string(name)}}));
        GK_TRY(const json::object line, receive());
        std::vector<Stat> rows;
        if (const auto* stats = line.if_contains("stats"); stats && stats->is_array())
            for (const auto& stat : stats->as_array())
                if (stat.is_object()) rows.push_back(stat_from(stat.as_object()));
        return rows;
    }

    Result<Drained> drain(const std::optional<DrainChange>& change) override {
        const std::string set = !change ? "" : change->on ? "on" : "off";
        GK_CHECK(send({{"op", "drain"}, {"set", set}, {"domain", change ? change->domain : std::string()}}));
        GK_TRY(const json::object line, receive());
        const auto names = texts_of(line, "drained");
        return Drained(names.begin(), names.end());
    }

    Result<std::uint64_t> flush() override {
        GK_CHECK(send({{"op", "flush"}}));
        GK_TRY(const json::object line, receive());
        return number_of(line, "count");
    }

    Result<bool> take_report(const std::string& account, const message::DeliveryReport& report) override {
        json::array recipients;
        for (const auto& each : report.recipients) {
            json::object recipient;
            for (const auto& [name, member] : kReported) recipient[name] = each.*member;
            recipients.push_back(std::move(recipient));
        }
        GK_CHECK(send({{"op", "report"},
                       {"account", account},
                       {"envid", report.envelope_id},
                       {"mta", report.reporting_mta},
                       {"message_id", report.message_id},
                       {"recipients", std::move(recipients)}}));
        GK_TRY(const json::object line, receive());
        const auto* known = line.if_contains("known");
        return known != nullptr && known->is_bool() && known->as_bool();
    }

    Status bounces(const std::function<void(const Bounce&)>& each) override {
        GK_CHECK(send({{"op", "bounces"}}));
        for (;;) {
            GK_TRY(const json::object line, receive());
            const auto* found = line.if_contains("bounce");
            if (!found) return ok();
            if (!found->is_object()) continue;
            Bounce bounce;
            for (const auto& [name, member] : kBounce) bounce.*member = text_of(found->as_object(), name);
            bounce.at = parse_rfc3339(text_of(found->as_object(), "time")).value_or(TimePoint{});
            each(bounce);
        }
    }

private:
    Status send(const json::object& object) { return socket_->write_all(json::serialize(object) + "\n", timeout_); }

    Result<json::object> receive() {
        GK_TRY(const std::string line, reader_.read_line(timeout_));
        boost::system::error_code error;
        auto value = json::parse(line, error);
        if (error || !value.is_object()) return fail(Errc::Bug, "gk-queue's answer is no JSON object");
        const auto* good = value.as_object().if_contains("ok");
        if (good && good->is_bool() && !good->as_bool()) return fail(error_of(value.as_object()));
        return std::move(value.as_object());
    }

    std::unique_ptr<net::SocketStream> socket_;
    net::LineReader reader_;
    net::milliseconds timeout_;
};

}  // namespace

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

json::object to_json(const Bounce& bounce) {
    json::object object{{"v", 1}, {"time", format_rfc3339(bounce.at)}};
    for (const auto& [name, member] : kBounce) object[name] = bounce.*member;
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

void serve_control(net::Stream& socket, Access& access) {
    net::LineReader reader(socket, kMaxRequest);
    const auto send = [&](const json::object& object) {
        return socket.write_all(json::serialize(object) + "\n", kTimeout);
    };
    for (;;) {
        const auto line = reader.read_line(kClientPatience);
        if (!line) return;
        boost::system::error_code error;
        json::parse_options shallow;
        shallow.max_depth = 4;
        const auto request = json::parse(*line, error, {}, shallow);
        const bool good = !error && request.is_object();
        if (!send(good ? answer(request.as_object(), access, send)
                       : error_object({Errc::BadInput, "not a JSON object"})))
            return;
    }
}

Result<bool> tell_of_report(const std::string& socket_path, const std::string& account,
                            const message::DeliveryReport& report) {
    GK_TRY(auto socket, net::connect_unix(socket_path, kReportTimeout));
    return SocketAccess(std::move(socket), kReportTimeout).take_report(account, report);
}

std::unique_ptr<Access> connect_control(const std::string& socket_path) {
    auto socket = net::connect_unix(socket_path, kTimeout);
    if (!socket) return nullptr;
    return std::make_unique<SocketAccess>(std::move(*socket));
}

}  // namespace gk::queue
