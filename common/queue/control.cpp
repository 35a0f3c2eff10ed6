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

constexpr std::pair<std::string_view, Action> kActions[] = {
    {"hold", Action::Hold}, {"release", Action::Release}, {"retry", Action::Retry}, {"delete", Action::Delete}};

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
        const Filter filter{text_of(request, "sender"), text_of(request, "recipient"), text_of(request, "status"),
                            number_of(request, "limit")};
        Status sent = ok();
        auto done = access.list(filter, [&](const Summary& s) {
            if (sent) sent = send({{"message", to_json(s)}});
        });
        if (!done) return error_object(done.error());
        return {{"ok", true}};
    }
    if (op == "show") {
        auto detail = access.show(id);
        if (!detail) return error_object(detail.error());
        std::string outcomes;
        for (const auto& outcome : detail->outcomes) outcomes += format_outcome(outcome);
        return {{"ok", true},
                {"envelope", format_envelope(detail->envelope)},
                {"outcomes", outcomes},
                {"size", detail->size},
                {"status", detail->status}};
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
    for (const auto& [name, action] : kActions) {
        if (op != name) continue;
        auto done = access.change(action, id);
        return done ? json::object{{"ok", true}} : error_object(done.error());
    }
    return error_object({Errc::BadInput, fmt::format("unknown op '{}'", text::printable(op, 40))});
}

class SocketAccess final : public Access {
public:
    explicit SocketAccess(std::unique_ptr<net::SocketStream> socket, net::milliseconds timeout = kTimeout)
        : socket_(std::move(socket)), reader_(*socket_, kMaxLine), timeout_(timeout) {}

    Status list(const Filter& filter, const std::function<void(const Summary&)>& each) override {
        GK_CHECK(send({{"op", "list"},
                       {"sender", filter.sender},
                       {"recipient", filter.recipient},
                       {"status", filter.status},
                       {"limit", filter.limit}}));
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
        Detail detail;
        GK_TRY(detail.envelope, parse_envelope(text_of(line, "envelope")));
        detail.outcomes = parse_outcomes(text_of(line, "outcomes"));
        detail.size = number_of(line, "size");
        detail.status = text_of(line, "status");
        return detail;
    }

    Status change(Action action, const std::string& id) override {
        for (const auto& [name, value] : kActions)
            if (value == action) GK_CHECK(send({{"op", std::string(name)}, {"id", id}}));
        GK_TRY(const json::object line, receive());
        return ok();
    }

    Status schedule(const std::string& id, TimePoint until) override {
        GK_CHECK(send({{"op", "schedule"}, {"id", id}, {"until", format_rfc3339(until)}}));
        GK_TRY(const json::object line, receive());
        return ok();
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
