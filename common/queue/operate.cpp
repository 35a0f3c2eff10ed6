// SPDX-License-Identifier: MIT
#include "common/queue/operate.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/queue/routes.hpp"

namespace gk::queue {
namespace {

constexpr std::string_view kActions[] = {"hold", "release", "retry", "delete", "bounce", "redirect", "reroute"};
// A message that was redirected that often goes in circles, or somebody's script does.
constexpr std::size_t kMostRedirects = 100;

Outcome outcome(OutcomeKind kind, TimePoint at, std::string text, int recipient = -1) {
    Outcome o;
    o.kind = kind;
    o.recipient = recipient;
    o.at = at;
    o.text = std::move(text);
    return o;
}

std::vector<int> waiting(const MessageState& state) {
    std::vector<int> found;
    for (std::size_t i = 0; i < state.recipients.size(); ++i)
        if (state.recipients[i].kind == RecipientState::Kind::Waiting) found.push_back(static_cast<int>(i));
    return found;
}

Result<std::vector<Outcome>> redirect(const Command& command, const Envelope& envelope, const MessageState& state,
                                      TimePoint at) {
    if (command.to.empty()) return fail(Errc::BadInput, "redirect needs --to");
    std::size_t before = 0;
    for (const auto& r : state.recipients) before += r.kind == RecipientState::Kind::Redirected;
    if (before >= kMostRedirects)
        return fail(Errc::BadInput, fmt::format("'{}' was redirected {} times already", envelope.id, before));
    std::vector<std::string> targets;
    for (const auto& to : command.to) {
        auto address = address::parse_address(to, true);
        if (!address) return fail(address.error().in(fmt::format("'{}'", text::printable(to, 200))));
        if (!address->is_ascii() && !envelope.smtputf8)
            return fail(Errc::BadInput,
                        fmt::format("'{}' needs SMTPUTF8, which this message's sender did not ask for", to));
        targets.push_back(address->text());
        for (std::size_t i = 0; i < envelope.recipients.size(); ++i) {
            if (!text::equals_nocase(envelope.recipients[i].address, targets.back())) continue;
            const auto kind = state.recipients[i].kind;
            if (kind == RecipientState::Kind::Failed || kind == RecipientState::Kind::Redirected)
                return fail(Errc::BadInput, fmt::format("'{}' had this message before: a loop", targets.back()));
        }
    }
    std::vector<Outcome> outcomes;
    for (const int i : waiting(state)) {
        const auto& address = envelope.recipients[static_cast<std::size_t>(i)].address;
        const bool stays =
            std::any_of(targets.begin(), targets.end(), [&](const auto& t) { return text::equals_nocase(t, address); });
        if (stays) continue;
        for (const auto& target : targets) outcomes.push_back(outcome(OutcomeKind::Redirect, at, target, i));
    }
    if (outcomes.empty()) return fail(Errc::BadInput, fmt::format("'{}' goes there already", envelope.id));
    return outcomes;
}

std::string for_people(TimePoint t) { return format_rfc3339(t); }

std::string span(std::chrono::microseconds us) {
    const auto s = std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(us).count());
    if (s < 120) return fmt::format("{} s", s);
    if (s < 7200) return fmt::format("{} min", s / 60);
    if (s < 172'800) return fmt::format("{} h", s / 3600);
    return fmt::format("{} days", s / 86'400);
}

std::string when(TimePoint t, TimePoint at) {
    return t <= at ? std::string("now") : fmt::format("at {} (in {})", for_people(t), span(t - at));
}

// What TEXT ends with a full stop, whatever the peer wrote.
std::string quoted(std::string_view text) { return fmt::format("\"{}\"", text::printable(text, 500)); }

void explain_recipient(std::vector<std::string>& out, const Facts& facts, const MessageState& state, std::size_t i,
                       TimePoint at) {
    const auto& envelope = facts.detail.envelope;
    const auto& r = state.recipients[i];
    const std::string who = "<" + text::printable(envelope.recipients[i].address, 300) + ">";
    const auto hop = std::find_if(facts.hops.begin(), facts.hops.end(), [&](const Hop& h) { return h.recipient == i; });
    if (r.attempts == 0) out.push_back(fmt::format("{} was not tried yet.", who));
    else
        out.push_back(fmt::format("{} was tried {} time{}, the last at {}{}{}: {}.", who, r.attempts,
                                  r.attempts == 1 ? "" : "s", for_people(r.last), r.peer.empty() ? "" : " at ",
                                  text::printable(r.peer, 200), quoted(r.text)));
    if (hop == facts.hops.end()) return;
    out.push_back(fmt::format("It goes by {}{}{}.", hop->route, state.route.empty() ? "" : ", as a command said",
                              hop->most_sessions == 0 ? std::string()
                                                      : fmt::format("; {} of at most {} sessions are open there",
                                                                    hop->sessions, hop->most_sessions)));
    if (hop->drained) out.push_back("Deliveries there are drained: nothing is tried until gk-queue drain --off.");
    if (hop->most_a_minute > 0)
        out.push_back(fmt::format("At most {} message{} a minute go{} there (queue.limits){}.", hop->most_a_minute,
                                  hop->most_a_minute == 1 ? "" : "s", hop->most_a_minute == 1 ? "es" : "",
                                  hop->state == "paced" ? "; the next one " + when(hop->down_until, at) : ""));
    if (hop->state == "throttled")
        out.push_back(fmt::format("That destination wants less from us, and gets nothing until {}: {}.",
                                  for_people(hop->down_until), quoted(hop->reason)));
    else if (hop->down_until > at && hop->state != "paced")
        out.push_back(fmt::format("That destination is left alone until {} after {} failure{} to reach it: {}.",
                                  for_people(hop->down_until), hop->failures, hop->failures == 1 ? "" : "s",
                                  quoted(hop->reason)));
    if (hop->waiting > 0 && hop->down_until <= at)
        out.push_back(fmt::format("{} deliveries wait for a free session there.", hop->waiting));
}

}  // namespace

std::string_view action_name(Action action) noexcept { return kActions[static_cast<std::size_t>(action)]; }

Result<std::vector<Outcome>> outcomes_of(const Command& command, const Envelope& envelope, const MessageState& state,
                                         TimePoint at) {
    std::vector<Outcome> outcomes;
    switch (command.action) {
        case Action::Hold: outcomes.push_back(outcome(OutcomeKind::Hold, at, "by command")); break;
        case Action::Release: outcomes.push_back(outcome(OutcomeKind::Release, at, "by command")); break;
        case Action::Retry: outcomes.push_back(outcome(OutcomeKind::Retry, at, "by command")); break;
        case Action::Redirect: return redirect(command, envelope, state, at);
        case Action::Reroute: {
            if (command.via.empty()) return fail(Errc::BadInput, "reroute needs --via");
            if (command.via != "mx")
                if (const auto route = parse_route(command.via); !route)
                    return fail(Errc::BadInput, route.error().text);
            outcomes.push_back(outcome(OutcomeKind::Reroute, at, command.via));
            outcomes.push_back(outcome(OutcomeKind::Retry, at, "rerouted"));
            break;
        }
        case Action::Bounce: {
            const std::string why =
                "given up by the postmaster" + (command.reason.empty() ? "" : ": " + command.reason);
            for (const int i : waiting(state)) {
                outcomes.push_back(outcome(OutcomeKind::Failed, at, why, i));
                outcomes.back().status = "5.0.0";
            }
            if (outcomes.empty()) return fail(Errc::BadInput, fmt::format("'{}' waits for nobody", envelope.id));
            // What is held would not tell its sender either.
            if (state.held) outcomes.push_back(outcome(OutcomeKind::Release, at, "by command"));
            break;
        }
        case Action::Delete: return fail(Errc::Bug, "a deletion leaves no outcome");
    }
    return outcomes;
}

std::vector<std::string> explain(const Facts& facts, TimePoint at) {
    const auto& envelope = facts.detail.envelope;
    const auto state = MessageState::of(envelope, facts.detail.outcomes);
    std::vector<std::string> out;
    out.push_back(
        fmt::format("The message arrived at {}, {} ago.", for_people(envelope.arrival), span(at - envelope.arrival)));
    if (!facts.running) out.push_back("No gk-queue runs on this spool: nothing is delivered until it is started.");
    for (const auto& o : facts.detail.outcomes)
        if (o.kind == OutcomeKind::Redirect)
            out.push_back(
                fmt::format("<{}> was redirected to <{}> at {}.",
                            text::printable(envelope.recipients[static_cast<std::size_t>(o.recipient)].address, 300),
                            text::printable(o.text, 300), for_people(o.at)));
    if (state.held) {
        TimePoint since{};
        std::string by;
        for (const auto& o : facts.detail.outcomes)
            if (o.kind == OutcomeKind::Hold) since = o.at, by = o.text;
        out.push_back(fmt::format("It is held since {} ({}): nothing happens until gk-queue release {}.",
                                  for_people(since), text::printable(by, 200), envelope.id));
    }
    if (!state.has_waiting()) {
        out.push_back("Nobody waits for it any more; its sender is still to be told.");
        return out;
    }
    if (envelope.hold_until > at)
        out.push_back(fmt::format("Its sender scheduled it for {}.", for_people(envelope.hold_until)));
    if (facts.detail.status == "active") out.push_back("It is being sent now.");
    std::size_t shown = 0, left = 0;
    for (std::size_t i = 0; i < state.recipients.size(); ++i) {
        if (state.recipients[i].kind != RecipientState::Kind::Waiting) continue;
        if (shown++ < 20) explain_recipient(out, facts, state, i, at);
        else ++left;
    }
    if (left > 0) out.push_back(fmt::format("{} more recipients wait; gk-queue show names them.", left));
    const auto next = state.next_due();
    if (!state.held && facts.detail.status != "active" && next)
        out.push_back(fmt::format("The next attempt is due {}.", when(*next, at)));
    for (const auto& o : facts.detail.outcomes)
        if (o.kind == OutcomeKind::Warned)
            out.push_back(fmt::format("Its sender was warned of the delay at {}.", for_people(o.at)));
    if (!state.warned && facts.warns != TimePoint{} && !envelope.reverse_path.empty())
        out.push_back(fmt::format("Its sender is warned of the delay {}.", when(facts.warns, at)));
    if (facts.gives_up != TimePoint{})
        out.push_back(fmt::format("With the first failed attempt from {} on it is given up{}.",
                                  for_people(facts.gives_up),
                                  envelope.reverse_path.empty() ? "; it has no sender to tell" : " and returned"));
    return out;
}

}  // namespace gk::queue
