// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/os/file.hpp"
#include "common/queue/engine_impl.hpp"

// What a person asks of the running queue.
namespace gk::queue {

Result<std::string> Engine::Impl::id_of(const std::string& id_or_trace) {
    if (!is_queue_id(id_or_trace))
        return fail(Errc::BadInput, fmt::format("'{}' is not a queue id", text::printable(id_or_trace, 80)));
    {
        const std::lock_guard guard(mutex);
        if (active.contains(id_or_trace)) return id_or_trace;
        for (const auto& [id, message] : active)
            if (message->trace() == id_or_trace) return id;
    }
    GK_TRY(auto found, index->find(id_or_trace));
    if (found) return *found;
    if (os::exists(fmt::format("{}/active/{}", dir, id_or_trace))) return id_or_trace;
    if (reconciling) return fail(Errc::Temporary, "the spool is still being read; try again");
    return fail(Errc::NotFound, fmt::format("no message '{}' in the queue", id_or_trace));
}

Status Engine::list(const Filter& filter, const std::function<void(const Summary&)>& each) {
    // What is under way is known better here than to the index: it is told in the row's place.
    std::map<std::string, std::shared_ptr<ActiveMessage>> now_active;
    {
        const std::lock_guard guard(impl_->mutex);
        for (const auto& [id, message] : impl_->active) now_active[id] = message;
    }
    std::uint64_t shown = 0;
    const auto show = [&](const Summary& summary) {
        if (filter.limit == 0 || shown++ < filter.limit) each(summary);
    };
    auto next = now_active.begin();
    const auto show_active_before = [&](std::string_view id) {
        for (; next != now_active.end() && (id.empty() || next->first < id); ++next) {
            auto& message = *next->second;
            const std::lock_guard guard(message.mutex);
            Summary summary = summarize(message.file, message.state);
            if (summary.status == "new" || summary.status == "deferred") summary.status = "active";
            if (!message.deleted && summary.status != "done" && filter.matches(summary)) show(summary);
        }
    };
    // Rows that an active message stands for do not count: as many more are asked for.
    Filter rows = filter;
    if (rows.limit != 0) rows.limit += now_active.size();
    GK_CHECK(impl_->index->list(rows, [&](const Summary& row) {
        show_active_before(row.id);
        if (!now_active.contains(row.id)) show(row);
    }));
    show_active_before({});
    return ok();
}

Result<Detail> Engine::show(const std::string& id_or_trace) {
    GK_TRY(const std::string id, impl_->id_of(id_or_trace));
    auto file = SpoolFile::open(fmt::format("{}/active/{}", impl_->dir, id));
    if (!file) return fail(file.error());
    const auto state = MessageState::of(file->envelope(), file->outcomes());
    Detail detail{file->envelope(), file->outcomes(), file->message_size(), std::string(state.summary())};
    const std::lock_guard guard(impl_->mutex);
    if (impl_->active.contains(id)) detail.status = "active";
    return detail;
}

Status Engine::change(Action action, const std::string& id_or_trace) {
    auto& impl = *impl_;
    GK_TRY(const std::string id, impl.id_of(id_or_trace));
    const Outcome outcome{action == Action::Hold      ? OutcomeKind::Hold
                          : action == Action::Release ? OutcomeKind::Release
                                                      : OutcomeKind::Retry,
                          -1,
                          now(),
                          {},
                          "by command",
                          {},
                          {},
                          {}};
    std::shared_ptr<ActiveMessage> message;
    {
        const std::lock_guard guard(impl.mutex);
        if (const auto at = impl.active.find(id); at != impl.active.end()) message = at->second;
    }
    const std::string path = fmt::format("{}/active/{}", impl.dir, id);
    if (message) {
        const std::lock_guard guard(message->mutex);
        if (action == Action::Delete) {
            message->deleted = true;
            log::Event("queue.deleted").field("id", message->trace()).field("queue", id);
            return ok();
        }
        GK_CHECK(message->file.append(std::span(&outcome, 1)));
        message->state.apply(message->file.envelope(), outcome);
        return ok();
    }
    GK_TRY(auto file, SpoolFile::open(path));
    if (action == Action::Delete) {
        GK_CHECK(os::unlink(path));
        log::Event("queue.deleted").field("id", file.envelope().trace_id).field("queue", id);
        return impl.index->remove(id);
    }
    GK_CHECK(file.append(std::span(&outcome, 1)));
    const auto state = MessageState::of(file.envelope(), file.outcomes());
    log::Event(action == Action::Hold      ? "queue.held"
               : action == Action::Release ? "queue.released"
                                           : "queue.retried")
        .field("id", file.envelope().trace_id)
        .field("queue", id);
    GK_CHECK(impl.put_row(file, state));
    if (action == Action::Retry) impl.reopen();
    impl.wake_scheduler();
    return ok();
}

Status Engine::schedule(const std::string& id_or_trace, TimePoint until) {
    auto& impl = *impl_;
    GK_TRY(const std::string id, impl.id_of(id_or_trace));
    {
        const std::lock_guard guard(impl.mutex);
        if (impl.active.contains(id)) return fail(Errc::BadInput, fmt::format("message '{}' is being sent", id));
    }
    GK_TRY(auto file, SpoolFile::open(fmt::format("{}/active/{}", impl.dir, id)));
    auto state = MessageState::of(file.envelope(), file.outcomes());
    GK_CHECK(check_scheduled(file.envelope(), state));
    const Outcome outcome{OutcomeKind::Schedule, -1, now(), until, "by command", {}, {}, {}};
    GK_CHECK(file.append(std::span(&outcome, 1)));
    state.apply(file.envelope(), outcome);
    log::Event("queue.scheduled")
        .field("id", file.envelope().trace_id)
        .field("queue", id)
        .field("until", format_rfc3339(until));
    GK_CHECK(impl.put_row(file, state));
    impl.wake_scheduler();
    return ok();
}

Result<std::uint64_t> Engine::flush() {
    GK_CHECK(impl_->index->make_due(now()));
    impl_->reopen();
    return impl_->index->count();
}

// What other servers took over for an account of ours.
void Engine::Impl::remember(const ActiveMessage& message, const std::vector<Attempt>& attempts) {
    const Envelope& envelope = message.file.envelope();
    // A report of ours comes from an address that may have a mailbox.
    const auto& account = envelope.is_own ? envelope.reverse_path : envelope.account;
    if (account.empty() || plan()->settings.remember_sent.count() == 0) return;
    Sent taken{message.id, message.trace(), account, message.message_id, {}, now()};
    for (const auto& attempt : attempts)
        if (attempt.verdict.kind == smtp_client::Verdict::Kind::Delivered && !attempt.is_lmtp)
            taken.recipients.push_back(envelope.recipients[attempt.recipient].address);
    if (taken.recipients.empty()) return;
    if (const auto kept = sent->add(taken); !kept)
        log::Event("queue.not_remembered", log::Level::Warning)
            .field("id", message.trace())
            .field("queue", message.id)
            .field("error", kept.error().text);
}

void Engine::Impl::forget_sent() {
    constexpr std::uint64_t kMost = 1'000'000;
    if (const auto done = sent->forget(now() - plan()->settings.remember_sent, kMost); !done)
        log::Event("queue.trouble", log::Level::Error).field("error", done.error().text);
}

// A report can be here before it is written down that its message was taken over.
bool Engine::Impl::is_under_way(const message::DeliveryReport& report) {
    const std::lock_guard guard(mutex);
    if (active.contains(report.envelope_id)) return true;
    return std::any_of(active.begin(), active.end(), [&](const auto& each) {
        return !report.message_id.empty() && each.second->message_id == report.message_id;
    });
}

Result<bool> Engine::take_report(const std::string& account, const message::DeliveryReport& report) {
    GK_TRY(const auto bounces, impl_->sent->take(account, report, now()));
    for (const auto& bounce : bounces) {
        log::Event event(bounce.queue.empty() ? "queue.bounce_unknown" : "queue.bounce_received");
        if (!bounce.queue.empty()) event.field("id", bounce.trace).field("queue", bounce.queue);
        event.field("account", bounce.account)
            .field("recipient", bounce.recipient)
            .field("action", bounce.action)
            .field("status", bounce.status)
            .field("reporting_mta", bounce.reporting_mta)
            .field("text", bounce.text);
    }
    return bounces.empty() || !bounces.front().queue.empty() || impl_->is_under_way(report);
}

Status Engine::bounces(const std::function<void(const Bounce&)>& each) { return impl_->sent->list(each); }

bool Engine::is_idle(std::chrono::milliseconds span) {
    // In the order in which a message goes through them.
    auto entries = os::list_directory(impl_->dir + "/new");
    if (!entries || !entries->empty() || impl_->taking || impl_->reconciling) return false;
    {
        const std::lock_guard guard(impl_->unknown_mutex);
        if (!impl_->unknown.empty()) return false;
    }
    {
        const std::lock_guard guard(impl_->mutex);
        if (!impl_->active.empty() || impl_->busy_workers > 0) return false;
    }
    auto next = impl_->index->next_due();
    return next && (!*next || **next > now() + span);
}

}  // namespace gk::queue
