// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <boost/json.hpp>
#include <cstdio>

#include "cmd/gk-queue/gk_queue.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/queue/state.hpp"

namespace gk::queue_tool {
namespace {

namespace json = boost::json;

std::string_view recipient_status(const queue::RecipientState& r) {
    switch (r.kind) {
        case queue::RecipientState::Kind::Delivered: return "delivered";
        case queue::RecipientState::Kind::Failed: return "failed";
        case queue::RecipientState::Kind::Redirected: return "redirected";
        case queue::RecipientState::Kind::Waiting: break;
    }
    return r.attempts > 0 ? "deferred" : "new";
}

json::object detail_object(const queue::Detail& d, const queue::MessageState& state) {
    const auto& e = d.envelope;
    json::array recipients, history;
    for (std::size_t i = 0; i < e.recipients.size(); ++i) {
        const auto& r = state.recipients[i];
        json::object object{{"address", e.recipients[i].address},
                            {"status", std::string(recipient_status(r))},
                            {"attempts", r.attempts}};
        if (!r.text.empty()) object["reply"] = r.text;
        if (!r.peer.empty()) object["peer"] = r.peer;
        if (r.kind == queue::RecipientState::Kind::Waiting)
            object["next"] = format_rfc3339(std::max(r.next, e.arrival));
        recipients.push_back(std::move(object));
    }
    for (const auto& o : d.outcomes) {
        json::object object{{"time", format_rfc3339(o.at)}, {"outcome", std::string(queue::outcome_name(o.kind))}};
        if (o.recipient >= 0) object["recipient"] = e.recipients[static_cast<std::size_t>(o.recipient)].address;
        if (!o.status.empty()) object["status"] = o.status;
        if (!o.peer.empty()) object["peer"] = o.peer;
        if (!o.tls.empty()) object["tls"] = o.tls;
        if (!o.text.empty()) object["text"] = o.text;
        if (o.until != TimePoint{}) object["next"] = format_rfc3339(o.until);
        history.push_back(std::move(object));
    }
    json::object object{{"v", 1},
                        {"id", e.id},
                        {"trace", e.trace_id},
                        {"status", d.status},
                        {"sender", e.reverse_path},
                        {"size", d.size},
                        {"arrival", format_rfc3339(e.arrival)},
                        {"smtputf8", e.smtputf8},
                        {"recipients", recipients},
                        {"history", history}};
    if (!e.account.empty()) object["account"] = e.account;
    if (!e.envid.empty()) object["envid"] = e.envid;
    if (e.ret != queue::Ret::Unset) object["ret"] = e.ret == queue::Ret::Full ? "FULL" : "HDRS";
    return object;
}

void print_detail(const queue::Detail& d, const queue::MessageState& state) {
    const auto& e = d.envelope;
    fmt::print("id        {}\ntrace     {}\nstatus    {}\nsender    <{}>\n", e.id, e.trace_id, d.status,
               text::printable(e.reverse_path, 400));
    if (!e.account.empty()) fmt::print("account   {}\n", text::printable(e.account, 400));
    fmt::print("size      {}\narrival   {}\n", text::format_size(d.size), format_rfc3339(e.arrival));
    for (std::size_t i = 0; i < e.recipients.size(); ++i) {
        const auto& r = state.recipients[i];
        fmt::print("recipient <{}> {}", text::printable(e.recipients[i].address, 400), recipient_status(r));
        if (r.kind == queue::RecipientState::Kind::Waiting && r.next != TimePoint{})
            fmt::print(", next {}", format_rfc3339(r.next));
        fmt::print("\n");
        if (!r.text.empty())
            fmt::print("          {}{}{}\n", r.peer, r.peer.empty() ? "" : ": ", text::printable(r.text, 1000));
    }
    for (const auto& o : d.outcomes) {
        fmt::print("{} {}", format_rfc3339(o.at), queue::outcome_name(o.kind));
        if (o.recipient >= 0)
            fmt::print(" <{}>", text::printable(e.recipients[static_cast<std::size_t>(o.recipient)].address, 400));
        if (!o.peer.empty()) fmt::print(" {}", text::printable(o.peer, 300));
        if (!o.tls.empty()) fmt::print(" ({})", text::printable(o.tls, 100));
        if (!o.text.empty()) fmt::print(" {}", text::printable(o.text, 1000));
        fmt::print("\n");
    }
}

// The message, or its header with the empty line, as it stands in the spool.
Status print_message(queue::Access& access, const std::string& id, bool header_only) {
    constexpr std::size_t kPiece = 1 << 20;
    std::string kept;
    for (std::uint64_t offset = 0;;) {
        GK_TRY(const std::string piece, access.read(id, offset, kPiece));
        if (piece.empty()) break;
        offset += piece.size();
        if (!header_only) {
            std::fwrite(piece.data(), 1, piece.size(), stdout);
            continue;
        }
        kept += piece;
        if (const auto end = kept.find("\r\n\r\n"); end != std::string::npos) {
            kept.resize(end + 4);
            break;
        }
    }
    std::fwrite(kept.data(), 1, kept.size(), stdout);
    return ok();
}

}  // namespace

int show(const Arguments& arguments) {
    const auto access = open(arguments);
    if (!access) return cli::fail(access.error());
    int code = 0;
    for (const auto& id : ids_of(arguments)) {
        if (arguments.message || arguments.header) {
            if (const auto printed = print_message(**access, id, arguments.header); !printed)
                code = cli::fail(printed.error());
            continue;
        }
        const auto detail = (*access)->show(id);
        if (!detail) {
            code = cli::fail(detail.error());
            continue;
        }
        const auto state = queue::MessageState::of(detail->envelope, detail->outcomes);
        if (arguments.json) fmt::print("{}\n", json::serialize(detail_object(*detail, state)));
        else print_detail(*detail, state);
    }
    return code;
}

int explain(const Arguments& arguments) {
    const auto access = open(arguments);
    if (!access) return cli::fail(access.error());
    int code = 0;
    for (const auto& id : ids_of(arguments)) {
        const auto facts = (*access)->explain(id);
        if (!facts) {
            code = cli::fail(facts.error());
            continue;
        }
        const auto sentences = queue::explain(*facts, now());
        if (!arguments.json) {
            if (arguments.ids.size() > 1 || arguments.ids[0] == "-") fmt::print("{}\n", facts->detail.envelope.id);
            for (const auto& sentence : sentences) fmt::print("{}\n", sentence);
            continue;
        }
        const auto state = queue::MessageState::of(facts->detail.envelope, facts->detail.outcomes);
        json::object object{{"v", 1},
                            {"id", facts->detail.envelope.id},
                            {"status", facts->detail.status},
                            {"running", facts->running},
                            {"held", state.held},
                            {"warned", state.warned},
                            {"explanation", json::value_from(sentences)}};
        if (const auto next = state.next_due())
            object["next"] = format_rfc3339(std::max(*next, facts->detail.envelope.arrival));
        if (facts->gives_up != TimePoint{}) object["gives_up"] = format_rfc3339(facts->gives_up);
        if (!state.warned && facts->warns != TimePoint{}) object["warns"] = format_rfc3339(facts->warns);
        json::array hops;
        for (const auto& hop : facts->hops) {
            json::object h{{"recipient", facts->detail.envelope.recipients[hop.recipient].address},
                           {"route", hop.route},
                           {"drained", hop.drained},
                           {"sessions", hop.sessions},
                           {"most_sessions", hop.most_sessions},
                           {"waiting", hop.waiting}};
            if (!hop.state.empty()) h["state"] = hop.state;
            if (hop.most_a_minute != 0) h["most_a_minute"] = hop.most_a_minute;
            if (hop.down_until != TimePoint{}) {
                h["down_until"] = format_rfc3339(hop.down_until);
                h["failures"] = hop.failures;
                h["refusals"] = hop.refusals;
                h["reason"] = hop.reason;
            }
            hops.push_back(std::move(h));
        }
        object["destinations"] = std::move(hops);
        fmt::print("{}\n", json::serialize(object));
    }
    return code;
}

}  // namespace gk::queue_tool
