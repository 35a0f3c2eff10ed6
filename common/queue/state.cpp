// SPDX-License-Identifier: MIT
#include "common/queue/state.hpp"

#include "common/base/text.hpp"
#include "common/smtp_client/reply.hpp"

namespace gk::queue {

std::string status_of_reply(std::string_view reply) {
    if (reply.size() < 3 || !text::is_digit(reply[0])) return "5.0.0";
    const auto enhanced = reply.size() > 4 ? smtp_client::enhanced_code(reply.substr(4)) : std::string_view();
    if (!enhanced.empty()) return std::string(enhanced);
    return std::string(1, reply[0]) + ".0.0";
}

LocalFate local_fate(std::string_view reply) noexcept {
    const auto words = reply.substr(std::min(reply.find(' ', 4), reply.size()));  // past "250 2.0.0"
    if (text::trim(words).starts_with(kForwarded)) return LocalFate::Forwarded;
    return text::trim(words).starts_with(kExpanded) ? LocalFate::Expanded : LocalFate::Delivered;
}

bool wants_failure_notice(const Envelope& envelope, const Recipient& recipient) noexcept {
    return !envelope.reverse_path.empty() && (recipient.notify == kNotifyUnset || (recipient.notify & kNotifyFailure));
}

bool wants_delay_notice(const Envelope& envelope, const Recipient& recipient) noexcept {
    return !envelope.reverse_path.empty() && (recipient.notify == kNotifyUnset || (recipient.notify & kNotifyDelay));
}

bool wants_success_notice(const Envelope& envelope, const Recipient& recipient) noexcept {
    return !envelope.reverse_path.empty() && (recipient.notify & kNotifySuccess);
}

MessageState MessageState::of(const Envelope& envelope, std::span<const Outcome> outcomes) {
    MessageState state;
    state.begins = envelope.hold_until;
    for (const auto& recipient : envelope.recipients) {
        RecipientState r;
        r.next = envelope.hold_until;
        if (!recipient.failed.empty()) {
            r.kind = RecipientState::Kind::Failed;
            r.text = recipient.failed;
            r.status = status_of_reply(recipient.failed);
            r.last = envelope.arrival;
            r.owes_notice = wants_failure_notice(envelope, recipient);
        } else if (!recipient.delivered.empty()) {
            r.kind = RecipientState::Kind::Delivered;
            r.text = recipient.delivered;
            r.status = status_of_reply(recipient.delivered);
            r.peer = "unix:";  // gk-deliver's own word: a final delivery, not a relaying
            r.last = envelope.arrival;
            r.owes_notice = wants_success_notice(envelope, recipient);
        }
        state.recipients.push_back(std::move(r));
    }
    for (const auto& outcome : outcomes) state.apply(envelope, outcome);
    return state;
}

void MessageState::apply(const Envelope& envelope, const Outcome& o) {
    switch (o.kind) {
        case OutcomeKind::Hold: held = true; return;
        case OutcomeKind::Release: held = false; return;
        case OutcomeKind::Warned: warned = true; return;
        case OutcomeKind::Schedule: begins = o.until; break;
        case OutcomeKind::Retry: begins = std::min(begins, o.at); break;
        case OutcomeKind::Reroute: route = o.text == "mx" ? std::string() : o.text; return;
        default: break;
    }
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        if (o.recipient >= 0 && static_cast<std::size_t>(o.recipient) != i) continue;
        auto& r = recipients[i];
        switch (o.kind) {
            case OutcomeKind::Delivered:
            case OutcomeKind::Relayed:
                r.kind = RecipientState::Kind::Delivered;
                r.owes_notice =
                    o.kind == OutcomeKind::Relayed && wants_success_notice(envelope, envelope.recipients[i]);
                break;
            case OutcomeKind::Deferred:
                ++r.attempts;
                r.next = o.until;
                break;
            case OutcomeKind::Failed:
                if (r.kind == RecipientState::Kind::Redirected) continue;  // its attempt was under way
                r.kind = RecipientState::Kind::Failed;
                r.owes_notice = wants_failure_notice(envelope, envelope.recipients[i]);
                break;
            case OutcomeKind::Notified: r.owes_notice = false; continue;
            case OutcomeKind::Redirect:
                if (r.kind != RecipientState::Kind::Waiting) continue;
                r.kind = RecipientState::Kind::Redirected;
                break;
            case OutcomeKind::Retry:
                if (r.kind == RecipientState::Kind::Waiting) r.next = o.at;
                continue;
            case OutcomeKind::Schedule:
                if (r.kind == RecipientState::Kind::Waiting) r.next = o.until;
                continue;
            default: continue;
        }
        r.last = o.at;
        r.text = o.text;
        r.status = o.status;
        r.peer = o.peer;
    }
}

bool MessageState::finished() const noexcept {
    for (const auto& r : recipients)
        if (r.kind == RecipientState::Kind::Waiting || r.owes_notice) return false;
    return true;
}

bool MessageState::has_waiting() const noexcept {
    for (const auto& r : recipients)
        if (r.kind == RecipientState::Kind::Waiting) return true;
    return false;
}

std::optional<TimePoint> MessageState::next_due() const noexcept {
    std::optional<TimePoint> next;
    for (const auto& r : recipients)
        if (r.kind == RecipientState::Kind::Waiting && (!next || r.next < *next)) next = r.next;
    return next;
}

std::string_view MessageState::summary() const noexcept {
    if (held) return "held";
    if (finished()) return "done";
    if (!has_waiting()) return "bouncing";
    for (const auto& r : recipients)
        if (r.attempts > 0) return "deferred";
    return begins > now() ? "scheduled" : "new";
}

}  // namespace gk::queue
