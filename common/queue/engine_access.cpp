// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>
#include <thread>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/os/file.hpp"
#include "common/queue/engine_impl.hpp"

// What a person asks of the running queue.
namespace gk::queue {
namespace {

TimePoint wall_time(Steady::time_point t) {
    return now() + std::chrono::duration_cast<std::chrono::microseconds>(t - Steady::now());
}

}  // namespace

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
    return fail(Errc::NotFound, fmt::format("no message '{}' in the queue", id_or_trace));
}

Engine::Impl::Claim::Claim(Impl& impl, const std::string& id) : impl_(impl), id_(id) {
    std::unique_lock guard(impl_.mutex);
    impl_.unclaimed.wait(guard, [&] { return !impl_.claimed.contains(id_); });
    impl_.claimed.insert(id_);
}

Engine::Impl::Claim::~Claim() {
    {
        const std::lock_guard guard(impl_.mutex);
        impl_.claimed.erase(id_);
    }
    impl_.unclaimed.notify_all();
}

bool Engine::Impl::is_drained(std::string_view domain) {
    const std::lock_guard guard(mutex);
    return !drained.empty() && (drained.contains("*") || drained.contains(domain));
}

bool Engine::Impl::is_drained(const ActiveMessage& message, const Group& group) {
    if (is_drained("")) return true;
    const auto& recipients = message.file.envelope().recipients;
    return std::all_of(group.recipients.begin(), group.recipients.end(),
                       [&](std::size_t i) { return is_drained(domain_of(recipients[i].address)); });
}

Suppressions* Engine::Impl::suppressions() {
    const std::lock_guard guard(suppressions_mutex);
    if (suppressed_db) return suppressed_db.get();
    auto opened = Suppressions::open(dir);
    if (opened) suppressed_db = std::move(*opened);
    else log::Event("queue.trouble", log::Level::Error).field("error", opened.error().text);
    return suppressed_db.get();
}

std::optional<std::string> Engine::Impl::suppressed_because(const std::string& account, const std::string& address) {
    if (!plan()->settings.is_bulk_sender(account)) return {};
    auto* const known = suppressions();
    if (known == nullptr) return {};
    const auto found = known->find(account, address);
    if (!found || !*found) return {};
    return fmt::format("suppressed since {} because of: {}", format_rfc3339((*found)->since), (*found)->reason);
}

void Engine::Impl::suppress(const std::string& account, const std::string& address, const Outcome& failure) {
    if (!plan()->settings.is_bulk_sender(account) || !means_no_such_address(failure.status)) return;
    auto* const known = suppressions();
    if (known == nullptr) return;
    const auto added = known->add({account, address, failure.at, failure.text, 1}, plan()->settings.suppressed);
    log::Event event("queue.suppressed", added ? log::Level::Info : log::Level::Error);
    event.field("account", account).field("recipient", address).field("reply", failure.text);
    if (!added) event.field("error", added.error().text);
}

Result<Route> Engine::Impl::route_of(std::string_view address, const MessageState& state, tlspolicy::Wish wish) const {
    auto route = state.route.empty() ? plan()->routes.find(domain_of(address)) : parse_route(state.route);
    if (route && route->kind != Route::Kind::LmtpUnix) route->wish = wish;
    return route;
}

Status Engine::list(const Filter& filter, const std::function<void(const Summary&)>& each) {
    // What is under way is known better here than to the index: it is told in the row's place.
    std::map<std::string, std::shared_ptr<ActiveMessage>> now_active;
    {
        const std::lock_guard guard(impl_->mutex);
        for (const auto& [id, message] : impl_->active) now_active[id] = message;
    }
    const auto goes_there = [&](const Summary& s) {
        return filter.next_hop.empty() || std::any_of(s.recipients.begin(), s.recipients.end(), [&](const auto& r) {
                   const auto route = impl_->route_of(r, {}, tlspolicy::Wish::None);
                   return route && route->key() == filter.next_hop;
               });
    };
    std::uint64_t shown = 0;
    const auto show = [&](const Summary& summary) {
        if (goes_there(summary) && (filter.limit == 0 || shown++ < filter.limit)) each(summary);
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
    if (rows.limit != 0) rows.limit = filter.next_hop.empty() ? rows.limit + now_active.size() : 0;
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

Result<std::string> Engine::read(const std::string& id_or_trace, std::uint64_t offset, std::size_t count) {
    GK_TRY(const std::string id, impl_->id_of(id_or_trace));
    GK_TRY(const auto file, SpoolFile::open(fmt::format("{}/active/{}", impl_->dir, id)));
    return file.read_message(offset, count);
}

Result<Facts> Engine::explain(const std::string& id_or_trace) {
    constexpr std::size_t kMostHops = 1000;  // recipients whose destination is looked at; no person reads more
    Facts facts;
    GK_TRY(facts.detail, show(id_or_trace));
    facts.running = true;
    const auto& envelope = facts.detail.envelope;
    const auto current = impl_->plan();
    const auto& schedule = current->settings.schedule;
    facts.gives_up = envelope.arrival + (envelope.is_dsn ? schedule.expire_dsn : schedule.expire);
    if (schedule.delay_warning.count() > 0) facts.warns = envelope.arrival + schedule.delay_warning;
    const auto state = MessageState::of(envelope, facts.detail.outcomes);
    const auto wish = envelope.require_tls ? tlspolicy::Wish::RequireTls : tlspolicy::Wish::None;
    for (std::size_t i = 0; i < state.recipients.size() && facts.hops.size() < kMostHops; ++i) {
        if (state.recipients[i].kind != RecipientState::Kind::Waiting) continue;
        const auto& address = envelope.recipients[i].address;
        const auto route = impl_->route_of(address, state, wish);
        if (!route) continue;
        Hop hop;
        hop.recipient = i;
        hop.route = route->key();
        hop.drained = impl_->is_drained(domain_of(address));
        const auto most = current->settings.limits.of(route->host);
        hop.most_sessions = most.connections;
        hop.most_a_minute = most.messages_a_minute;
        const std::lock_guard guard(impl_->mutex);
        if (const auto at = impl_->destinations.find(hop.route); at != impl_->destinations.end()) {
            Destination& d = *at->second;
            hop.sessions = d.running;
            hop.waiting = d.waiting.size();
            hop.failures = d.failures;
            hop.refusals = d.refusals;
            hop.reason = d.last_failure.text;
            hop.peer = d.last_failure.peer;
            const auto stands = d.state();
            if (stands.until != Steady::time_point{}) hop.down_until = wall_time(stands.until);
            hop.state = stands.name;
        }
        facts.hops.push_back(std::move(hop));
    }
    return facts;
}

// The caller holds MESSAGE's mutex.
Status Engine::Impl::change_active(ActiveMessage& message, const Command& command) {
    if (command.action == Action::Delete) {
        // Gone for good before the answer, whatever happens to us; who reads it has it open.
        GK_CHECK(os::unlink(message.path));
        GK_CHECK(os::sync_directory(dir + "/active"));
        message.deleted = true;
        return ok();
    }
    // A file of its own: deliveries that are under way read the other's envelope.
    GK_TRY(auto file, SpoolFile::open(message.path));
    const auto state = MessageState::of(file.envelope(), file.outcomes());
    GK_TRY(const auto outcomes, outcomes_of(command, file.envelope(), state, now()));
    GK_CHECK(file.append(outcomes));
    message.changed = true;
    if (command.action == Action::Hold) message.state.held = true;
    return ok();
}

Status Engine::Impl::change_waiting(const std::string& id, const Command& command) {
    std::string sub = "active";
    auto opened = SpoolFile::open(fmt::format("{}/{}/{}", dir, sub, id));
    if (!opened && opened.error().code == Errc::NotFound) {
        sub = "new";
        opened = SpoolFile::open(fmt::format("{}/{}/{}", dir, sub, id));
    }
    if (!opened && opened.error().code == Errc::NotFound)
        return fail(Errc::NotFound, fmt::format("no message '{}' in the queue", id));
    GK_TRY(auto file, std::move(opened));
    if (command.action == Action::Delete) {
        GK_CHECK(os::unlink(fmt::format("{}/{}/{}", dir, sub, id)));
        GK_CHECK(os::sync_directory(fmt::format("{}/{}", dir, sub)));
        return index->remove(id);
    }
    auto state = MessageState::of(file.envelope(), file.outcomes());
    GK_TRY(const auto outcomes, outcomes_of(command, file.envelope(), state, now()));
    GK_CHECK(file.append(outcomes));
    if (sub == "new") return ok();
    state = MessageState::of(file.envelope(), file.outcomes());
    Summary row = row_of(file, state);
    // Whether or not its destinations are known to be away, this message is looked at now.
    if (command.action != Action::Hold && command.action != Action::Release) row.deadline = now();
    return index->put(row, state.held);
}

Status Engine::change(const Command& command, const std::string& id_or_trace) {
    auto& impl = *impl_;
    auto known = impl.id_of(id_or_trace);
    // It may lie in new/ still, or be on its way from there.
    if (!known && known.error().code == Errc::NotFound) known = id_or_trace;
    GK_TRY(const std::string id, std::move(known));
    const auto find_active = [&] {
        const std::lock_guard guard(impl.mutex);
        const auto at = impl.active.find(id);
        return at != impl.active.end() ? at->second : nullptr;
    };
    std::shared_ptr<ActiveMessage> message;
    for (;;) {
        message = find_active();
        if (message) {
            std::unique_lock guard(message->mutex);
            if (!message->left && !message->deleted) {
                GK_CHECK(impl.change_active(*message, command));
                break;
            }
            if (message->deleted) return fail(Errc::NotFound, fmt::format("no message '{}' in the queue", id));
            // On its way out of memory, which takes no longer than this.
            guard.unlock();
            std::this_thread::yield();
            continue;
        }
        const Impl::Claim claim(impl, id);
        if (find_active()) continue;
        GK_CHECK(impl.change_waiting(id, command));
        break;
    }
    log::Event(command.action == Action::Delete ? "queue.deleted" : "queue.changed")
        .field("id", message ? message->trace() : id_or_trace)
        .field("queue", id)
        .field("command", action_name(command.action));
    if (command.action == Action::Retry || command.action == Action::Reroute) impl.reopen();
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

// What the index counts, and what is in memory for the first time. What moves meanwhile may be missed, or be there
// twice.
Result<std::vector<Stat>> Engine::stats(By by) {
    auto& impl = *impl_;
    GK_TRY(auto counted, impl.index->stats(by, now()));
    Tally tally(by, now(), std::move(counted));
    std::vector<std::shared_ptr<ActiveMessage>> active;
    {
        const std::lock_guard guard(impl.mutex);
        for (const auto& [id, message] : impl.active) active.push_back(message);
    }
    for (const auto& message : active) {
        const std::lock_guard guard(message->mutex);
        if (!message->is_indexed && !message->deleted && !message->state.finished())
            tally.add(summarize(message->file, message->state));
    }
    auto rows = tally.rows();
    if (by != By::Destination && by != By::Age) return rows;
    for (auto& row : rows) {
        const auto route = impl.route_of("@" + row.name, {}, tlspolicy::Wish::None);
        if (route) row.route = route->key();
        row.state = impl.is_drained(row.name) ? "drained" : "up";
        const std::lock_guard guard(impl.mutex);
        const auto at = impl.destinations.find(row.route);
        if (at == impl.destinations.end()) continue;
        Destination& d = *at->second;
        row.sessions = d.running;
        const auto state = d.state();
        if (state.until == Steady::time_point{}) continue;
        if (row.state == "up") row.state = state.name;
        row.until = wall_time(state.until);
        if (!d.last_failure.text.empty() && state.name != "paced") row.reason = d.last_failure.text;
    }
    return rows;
}

Result<Drained> Engine::drain(const std::optional<DrainChange>& change) {
    auto& impl = *impl_;
    const std::lock_guard one_at_a_time(impl.drain_mutex);
    Drained after;
    {
        const std::lock_guard guard(impl.mutex);
        after = impl.drained;
    }
    if (!change) return after;
    const Drained before = after;
    GK_CHECK(apply(after, *change));
    GK_CHECK(write_drained(impl.dir, after));
    {
        const std::lock_guard guard(impl.mutex);
        impl.drained = after;
    }
    log::Event("queue.drained", log::Level::Warning)
        .field("on", change->on)
        .field("domain", change->domain.empty() ? "*" : change->domain);
    // What is on its way out of memory with a later time comes back at once; what left it before is in the index.
    if (!change->on) {
        std::vector<std::shared_ptr<ActiveMessage>> active;
        {
            const std::lock_guard guard(impl.mutex);
            for (const auto& [id, message] : impl.active) active.push_back(message);
        }
        for (const auto& message : active) {
            const std::lock_guard guard(message->mutex);
            for (auto& r : message->state.recipients)
                if (r.kind == RecipientState::Kind::Waiting && r.text == kDrainedReason) r.next = now();
        }
    }
    // What waited for everything is due as it was; a domain's backlog was put off, and is tried now.
    if (!change->on && !change->domain.empty()) GK_CHECK(impl.index->make_due(now(), domain_of("@" + change->domain)));
    if (!change->on && change->domain.empty())
        for (const auto& domain : before) GK_CHECK(impl.index->make_due(now(), domain));
    impl.wake_scheduler();
    return after;
}

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
