// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <boost/json.hpp>

#include "cmd/gk-queue/gk_queue.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/queue/json.hpp"
#include "common/queue/state.hpp"

namespace gk::queue_tool {
namespace {

namespace json = boost::json;

Result<std::unique_ptr<queue::Access>> open(const Arguments& arguments) {
    static const std::vector<std::string> kStatuses = {"new", "scheduled", "active", "deferred", "held", "bouncing"};
    if (!arguments.status.empty() && std::find(kStatuses.begin(), kStatuses.end(), arguments.status) == kStatuses.end())
        return fail(Errc::BadInput, fmt::format("--status is one of {}, not '{}'", text::join(kStatuses, ", "),
                                                text::printable(arguments.status, 60)));
    const auto paths = config::Paths::under(arguments.root);
    return queue::open_access(paths.spool, paths.run + "/queue.sock");
}

queue::Filter filter_of(const Arguments& a) {
    return {a.sender, a.recipient, a.status, static_cast<std::uint64_t>(std::max<std::int64_t>(0, a.limit))};
}

bool has_filter(const Arguments& a) { return !a.sender.empty() || !a.recipient.empty() || !a.status.empty(); }

// For people: a few, and how many there are.
std::string joined(const std::vector<std::string>& recipients, std::size_t total) {
    constexpr std::size_t kFew = 5;
    std::string out;
    for (std::size_t i = 0; i < recipients.size() && i < kFew; ++i)
        out += (i ? "," : "") + text::printable(recipients[i], 100);
    if (total > kFew) out += fmt::format(",… ({})", total);
    return out;
}

std::string_view recipient_status(const queue::RecipientState& r) {
    switch (r.kind) {
        case queue::RecipientState::Kind::Delivered: return "delivered";
        case queue::RecipientState::Kind::Failed: return "failed";
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

std::string_view verb(queue::Action action) {
    switch (action) {
        case queue::Action::Hold: return "hold";
        case queue::Action::Release: return "release";
        case queue::Action::Retry: return "retry";
        case queue::Action::Delete: return "delete";
    }
    return "";
}

}  // namespace

std::vector<std::string> ids_of(const Arguments& arguments) {
    std::vector<std::string> ids;
    for (const auto& operand : arguments.ids) {
        if (operand != "-") {
            ids.push_back(operand);
            continue;
        }
        for (const auto& item : cli::read_items(arguments.nul))
            if (const auto words = text::words(item); !words.empty()) ids.emplace_back(words[0]);
    }
    return ids;
}

int list(const Arguments& arguments) {
    const auto access = open(arguments);
    if (!access) return cli::fail(access.error());
    cli::Rows rows(false, {"id", "status", "size", "arrival", "next", "attempts", "sender", "recipients", "reason"});
    const auto listed = (*access)->list(filter_of(arguments), [&](const queue::Summary& s) {
        if (arguments.json) {
            fmt::print("{}\n", json::serialize(queue::to_json(s)));
            return;
        }
        rows.add({s.id, s.status, static_cast<std::int64_t>(s.size), format_rfc3339(s.arrival),
                  s.next ? format_rfc3339(std::max(*s.next, s.arrival)) : std::string("-"),
                  static_cast<std::int64_t>(s.attempts), s.sender.empty() ? "<>" : s.sender,
                  joined(s.recipients, s.recipients_total), text::printable(s.reason, 120)});
    });
    return listed ? 0 : cli::fail(listed.error());
}

int show(const Arguments& arguments) {
    const auto access = open(arguments);
    if (!access) return cli::fail(access.error());
    int code = 0;
    for (const auto& id : ids_of(arguments)) {
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

int change(const Arguments& arguments, queue::Action action) {
    const auto access = open(arguments);
    if (!access) return cli::fail(access.error());
    auto ids = ids_of(arguments);
    if (has_filter(arguments)) {
        const auto listed =
            (*access)->list(filter_of(arguments), [&](const queue::Summary& s) { ids.push_back(s.id); });
        if (!listed) return cli::fail(listed.error());
    } else if (arguments.ids.empty()) {
        return cli::usage("name queue ids, '-' for those on stdin, or --sender, --recipient or --status");
    }
    if (arguments.dry_run) {
        for (const auto& id : ids) fmt::print("{} {}\n", verb(action), id);
        return 0;
    }
    if (action == queue::Action::Delete && !ids.empty() &&
        !cli::confirm(fmt::format("delete {} message{} from the queue? The senders will not be told", ids.size(),
                                  ids.size() == 1 ? "" : "s"),
                      arguments.yes))
        return cli::fail({Errc::Denied, "nothing was deleted; --yes says it without a question"});
    int code = 0;
    for (const auto& id : ids)
        if (const auto done = (*access)->change(action, id); !done) code = cli::fail(done.error());
    return code;
}

int flush(const Arguments& arguments) {
    const auto access = open(arguments);
    if (!access) return cli::fail(access.error());
    const auto count = (*access)->flush();
    return count ? 0 : cli::fail(count.error());
}

}  // namespace gk::queue_tool
