// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/net/stream.hpp"
#include "common/queue/access.hpp"
#include "common/queue/control_json.hpp"

// The daemon's end of the control socket.
namespace gk::queue {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxRequest = 1 << 20;  // a report of 100 recipients
constexpr net::milliseconds kTimeout{60'000};
constexpr net::milliseconds kClientPatience{300'000};
// Of a message's bytes in one answer.
constexpr std::size_t kMostRead = 1 << 20;

constexpr Action kActions[] = {Action::Hold,   Action::Release,  Action::Retry,  Action::Delete,
                               Action::Bounce, Action::Redirect, Action::Reroute};

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
        return facts_answer(*facts);
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
        const auto by = by_of(text_of(request, "by"));
        if (!by) return error_object({Errc::BadInput, "stats by what?"});
        auto rows = access.stats(*by);
        if (!rows) return error_object(rows.error());
        json::array stats;
        for (const auto& row : *rows) stats.push_back(stat_object(row));
        return {{"ok", true}, {"stats", std::move(stats)}};
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

}  // namespace

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

}  // namespace gk::queue
