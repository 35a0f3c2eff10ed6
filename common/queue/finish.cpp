// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/os/file.hpp"
#include "common/queue/engine_impl.hpp"
#include "common/queue/notices.hpp"

// From verdicts to what is on disk, and from there to the message's next step.
namespace gk::queue {
namespace {

using Kind = smtp_client::Verdict::Kind;

void log_attempt(const ActiveMessage& message, const Recipient& recipient, const Outcome& outcome) {
    const char* name = outcome.kind == OutcomeKind::Deferred ? "queue.deferred"
                       : outcome.kind == OutcomeKind::Failed ? "queue.failed"
                                                             : "queue.delivered";
    log::Event event(name, outcome.kind == OutcomeKind::Failed ? log::Level::Warning : log::Level::Info);
    event.field("id", message.trace()).field("queue", message.id).field("recipient", recipient.address);
    if (!outcome.peer.empty()) event.field("peer", outcome.peer);
    if (!outcome.tls.empty()) event.field("tls", outcome.tls);
    event.field("status", outcome.status).field("reply", outcome.text);
    if (outcome.kind == OutcomeKind::Deferred) event.field("next", format_rfc3339(outcome.until));
}

// What a command wrote into the file while the message was under way counts from now on.
Status read_again(ActiveMessage& message) {
    GK_TRY(message.file, SpoolFile::open(message.path));
    message.state = MessageState::of(message.file.envelope(), message.file.outcomes());
    message.changed = false;
    return ok();
}

}  // namespace

void Engine::Impl::record(ActiveMessage& message, const std::vector<Attempt>& attempts) {
    const std::lock_guard guard(message.mutex);
    const Envelope& envelope = message.file.envelope();
    const TimePoint at = now();
    for (const auto& attempt : attempts) {
        const auto& recipient = envelope.recipients[attempt.recipient];
        const auto expire = plan()->settings.expire(envelope, recipient.address);
        Outcome outcome;
        outcome.recipient = static_cast<int>(attempt.recipient);
        outcome.at = at;
        outcome.text = attempt.verdict.text;
        outcome.status = attempt.verdict.status;
        outcome.peer = attempt.peer;
        outcome.tls = attempt.tls;
        switch (attempt.verdict.kind) {
            case Kind::Delivered:
                // A success report is ours to make where the next server will not (RFC 3461, 5.2.2), and after local
                // delivery, which makes none; but where an alias sent it on, another server takes over.
                outcome.kind = wants_success_notice(envelope, recipient) && (!attempt.dsn_relayed || attempt.is_lmtp) &&
                                       !(attempt.is_lmtp && local_fate(outcome.text) == LocalFate::Forwarded)
                                   ? OutcomeKind::Relayed
                                   : OutcomeKind::Delivered;
                break;
            case Kind::Failed: outcome.kind = OutcomeKind::Failed; break;
            case Kind::Deferred:
                outcome.kind = OutcomeKind::Deferred;
                const auto kind = attempt.retry_class.value_or(
                    retry_class(attempt.verdict.text, attempt.verdict.status, attempt.verdict.from_peer));
                auto wait = plan()->settings.schedule.wait(message.state.recipients[attempt.recipient].attempts + 1,
                                                           random_u64(), kind, domain_of(recipient.address));
                if (attempt.most_wait.count() > 0) wait = std::min(wait, attempt.most_wait);
                outcome.until = at + wait;
                if (at - message.state.since(envelope) >= expire) {
                    outcome.kind = OutcomeKind::Failed;
                    outcome.until = {};
                    outcome.status = "5.4.7";
                    if (!attempt.verdict.from_peer)
                        outcome.text = "given up after too long a time; last: " + outcome.text;
                }
                break;
        }
        message.state.apply(envelope, outcome);
        log_attempt(message, recipient, outcome);
        if (outcome.kind == OutcomeKind::Failed) suppress(envelope.account, recipient.address, outcome);
        message.unwritten.push_back(std::move(outcome));
    }
    // Where all are delivered the file goes at once, and that it is gone says as much as a line in it would.
    // Else at once, to keep the time short in which a kill would repeat a delivery. What fails, finish() does again.
    if (!message.state.finished()) (void)write_out(message);
    remember(message, attempts);
}

// The destination is known to be away: nothing was tried, and nothing need be recorded unless it has become too late.
void Engine::Impl::postpone(ActiveMessage& message, const Group& group, const Opened& why, std::chrono::seconds wait) {
    std::vector<Attempt> expired;
    {
        const std::lock_guard guard(message.mutex);
        const Envelope& envelope = message.file.envelope();
        for (const auto i : group.recipients) {
            const bool too_late = now() - message.state.since(envelope) >=
                                  plan()->settings.expire(envelope, envelope.recipients[i].address);
            if (too_late)
                expired.push_back({i,
                                   {Kind::Deferred, why.text, why.status, false},
                                   why.peer,
                                   {},
                                   false,
                                   false,
                                   {},
                                   RetryClass::Unreachable});
            message.state.recipients[i].next = now() + wait;
            message.state.recipients[i].text = why.text;
            message.state.recipients[i].status = why.status;
        }
        log::Event("queue.postponed")
            .field("id", message.trace())
            .field("queue", message.id)
            .field("peer", why.peer)
            .field("error", why.text)
            .field("next", format_rfc3339(now() + wait));
    }
    if (!expired.empty()) record(message, expired);
}

Status Engine::Impl::write_out(ActiveMessage& message) {
    // The file of what was deleted is gone, and must not come back.
    if (message.deleted) {
        message.unwritten.clear();
        for (; !message.dsns.empty(); message.dsns.pop_back()) discard_dsn(dir, message.dsns.back());
    }
    if (!message.unwritten.empty()) GK_CHECK(message.file.append(message.unwritten));
    message.unwritten.clear();
    for (; !message.dsns.empty(); message.dsns.pop_back()) GK_CHECK(release_dsn(dir, message.dsns.back()));
    return ok();
}

Status Engine::Impl::send_notice(ActiveMessage& message, const std::vector<DsnRecipient>& recipients,
                                 OutcomeKind mark) {
    if (recipients.empty()) return ok();
    GK_TRY(const std::string id, write_dsn(dir, message.file, message.state, recipients,
                                           {plan()->settings.hostname, plan()->settings.dsn_size}));
    message.dsns.push_back(id);
    std::vector<Outcome> marks;
    for (const auto& r : recipients) {
        if (mark == OutcomeKind::Warned && !marks.empty()) break;
        Outcome outcome;
        outcome.kind = mark;
        outcome.recipient = mark == OutcomeKind::Warned ? -1 : static_cast<int>(r.index);
        outcome.at = now();
        outcome.text = dsn_mark(id);
        marks.push_back(std::move(outcome));
    }
    const auto action = recipients[0].action;
    log::Event(action == DsnAction::Failed    ? "queue.bounced"
               : action == DsnAction::Delayed ? "queue.warned"
                                              : "queue.reported")
        .field("id", message.trace())
        .field("queue", message.id)
        .field("to", message.file.envelope().reverse_path)
        .field("recipients", recipients.size())
        .field("dsn", id);
    for (const auto& outcome : marks) message.state.apply(message.file.envelope(), outcome);
    message.unwritten.insert(message.unwritten.end(), marks.begin(), marks.end());
    return write_out(message);
}

Status Engine::Impl::notify(ActiveMessage& message) {
    const Envelope& envelope = message.file.envelope();
    std::vector<DsnRecipient> failed, delivered, expanded, relayed, delayed;
    for (std::size_t i = 0; i < envelope.recipients.size(); ++i) {
        const auto& r = message.state.recipients[i];
        if (r.owes_notice && r.kind == RecipientState::Kind::Failed) failed.push_back({i, DsnAction::Failed, {}});
        if (r.owes_notice && r.kind == RecipientState::Kind::Delivered) {
            if (r.peer.starts_with(kUnixPeer) && local_fate(r.text) == LocalFate::Expanded)
                expanded.push_back({i, DsnAction::Expanded, {}});
            else if (is_final_delivery(r.peer)) delivered.push_back({i, DsnAction::Delivered, {}});
            else relayed.push_back({i, DsnAction::Relayed, {}});
        }
        if (r.kind == RecipientState::Kind::Waiting && (r.attempts > 0 || !r.text.empty()) &&
            wants_delay_notice(envelope, envelope.recipients[i]))
            delayed.push_back(
                {i, DsnAction::Delayed,
                 message.state.since(envelope) + plan()->settings.expire(envelope, envelope.recipients[i].address)});
    }
    GK_CHECK(send_notice(message, failed, OutcomeKind::Notified));
    GK_CHECK(send_notice(message, delivered, OutcomeKind::Notified));
    GK_CHECK(send_notice(message, expanded, OutcomeKind::Notified));
    GK_CHECK(send_notice(message, relayed, OutcomeKind::Notified));
    if (plan()->settings.schedule.delay_warning.count() > 0 && !message.state.warned &&
        now() - message.state.since(envelope) >= plan()->settings.schedule.delay_warning)
        GK_CHECK(send_notice(message, delayed, OutcomeKind::Warned));
    return ok();
}

Status Engine::Impl::remove_file(ActiveMessage& message) {
    auto removed = os::unlink(message.path);
    if (!removed && removed.error().code != Errc::NotFound) return removed;
    {
        const std::lock_guard guard(sync_mutex);
        unsynced = true;
    }
    sync_wanted.notify_one();
    return message.is_indexed ? index->remove(message.id) : ok();
}

// The message's next place: gone, or back in the index. Holds its mutex.
Status Engine::Impl::settle(ActiveMessage& message) {
    if (message.deleted) {
        GK_CHECK(write_out(message));
        return remove_file(message);
    }
    // A DSN that the disk did not let go its way before.
    if (!message.dsns.empty()) GK_CHECK(write_out(message));
    if (message.changed) {
        GK_CHECK(write_out(message));
        GK_CHECK(read_again(message));
    }
    if (!message.state.finished()) {
        GK_CHECK(write_out(message));
        if (!message.state.held) GK_CHECK(notify(message));
    }
    if (message.state.finished()) {
        GK_CHECK(remove_file(message));
        log::Event("queue.done").field("id", message.trace()).field("queue", message.id);
        return ok();
    }
    message.is_indexed = true;
    return put_row(message.file, message.state);
}

// All groups of this round are through. Ends with the message out of memory: its file removed, or back in the index.
void Engine::Impl::finish(const std::shared_ptr<ActiveMessage>& message) {
    Status done = ok();
    bool is_back = false;
    {
        const std::lock_guard guard(message->mutex);
        done = settle(*message);
        // If the disk takes no removal, it may still take the lines that spare the recipients a second copy.
        if (!done) (void)write_out(*message);
        message->left = done.has_value();
        is_back = !message->deleted && !message->state.finished();
    }
    const std::lock_guard guard(mutex);
    if (!done) {
        log::Event("queue.trouble", log::Level::Error)
            .field("id", message->trace())
            .field("queue", message->id)
            .field("error", done.error().text);
        stuck.emplace_back(Steady::now() + plan()->settings.stuck_retry, message);
    } else {
        active.erase(message->id);
        admission.leave(message->ticket);
    }
    if (!done || is_back || admission.entered() < wake_below) wake_scheduler();
}

}  // namespace gk::queue
