// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>

#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/message/header.hpp"
#include "common/queue/engine_impl.hpp"

// From a message that is due to a worker that delivers it.
namespace gk::queue {
namespace {

// For so long a destination that took a message is known to answer.
constexpr std::chrono::minutes kKnown{10};
constexpr std::size_t kShortHeader = 3072, kScannedHeader = 64 * 1024;
// What the header has to say about the way that the message goes.
void read_header(ActiveMessage& message) {
    const auto& envelope = message.file.envelope();
    auto bytes = message.file.read_message(0, kShortHeader);
    if (bytes && bytes->size() == kShortHeader && bytes->find("\r\n\r\n") == std::string::npos)
        bytes = message.file.read_message(0, kScannedHeader);
    const auto header = bytes ? std::string_view(*bytes).substr(0, bytes->find("\r\n\r\n")) : std::string_view();
    // RFC 6531, 3.5: the extension is needed for UTF-8 in the envelope or header, not because a client asked for it.
    message.needs_smtputf8 = envelope.smtputf8 && (!bytes || !text::is_ascii(header));
    if (const auto id = message::find_field(header, "Message-ID"); id && (!envelope.account.empty() || envelope.is_own))
        message.message_id = message::unfold(*id, 1000);
    // RFC 8689, 5: the envelope's word outweighs the header's.
    if (envelope.require_tls) message.wish = tlspolicy::Wish::RequireTls;
    else if (const auto field = message::find_field(header, "TLS-Required"))
        if (text::equals_nocase(text::trim(message::unfold(*field, 100)), "No"))
            message.wish = tlspolicy::Wish::TlsOptional;
}

// How often a message for a drained destination is looked at, whatever the end of draining finds.
constexpr std::chrono::minutes kDrainedLook{10};

}  // namespace

void wait_drained(RecipientState& r, bool all) {
    if (!all) r.next = std::max(r.next, now() + kDrainedLook);
    r.text = kDrainedReason;
}

bool Destination::is_known() const noexcept {
    return !idle.empty() ||
           (failures == 0 && last_success != Steady::time_point{} && Steady::now() - last_success < kKnown);
}

bool Destination::has_token() noexcept {
    if (most.messages_a_minute == 0) return true;
    const double a_second = most.messages_a_minute / 60.0;
    const auto now = Steady::now();
    tokens += std::chrono::duration<double>(now - tokens_at).count() * a_second;
    tokens = std::min(tokens, std::max(1.0, a_second));
    tokens_at = now;
    return tokens >= 1;
}

Destination::Stands Destination::state() noexcept {
    if (down_until > Steady::now()) return {refusals > 0 ? "throttled" : "down", down_until};
    if (waiting.empty() || has_token()) return {"up", {}};
    const std::chrono::duration<double> wait((1 - tokens) * 60 / most.messages_a_minute);
    return {"paced", tokens_at + std::chrono::duration_cast<Steady::duration>(wait)};
}

// Doubles with each round of successes until there was trouble, then adds one a round.
void Destination::grow() noexcept {
    if (++credit < (was_cut ? limit : 1)) return;
    credit = 0;
    limit = std::min(limit + 1, std::max(1u, most.connections));
}

void Destination::cut(unsigned to) noexcept {
    limit = std::max(1u, to);
    credit = 0;
    was_cut = true;
}

void Engine::Impl::begin(const std::shared_ptr<ActiveMessage>& message) {
    struct Planned {
        Route route;
        std::vector<std::size_t> recipients;
        std::vector<std::string> domains;
    };
    std::map<std::string, Planned> ways;
    std::vector<Attempt> refused;
    {
        const std::lock_guard guard(message->mutex);
        read_header(*message);
        const auto& recipients = message->file.envelope().recipients;
        std::map<std::string, Result<Route>> routes_found;
        for (std::size_t i = 0; i < recipients.size() && !message->state.held; ++i) {
            const auto& r = message->state.recipients[i];
            // What is due within a second goes along now.
            if (r.kind != RecipientState::Kind::Waiting) continue;
            // A next attempt further ahead than any schedule sets it was written under a wrong clock.
            const bool is_wrong = r.attempts > 0 && r.next > now() + plan()->settings.schedule.longest();
            // By command; a time that the sender chose stays.
            const bool is_forced = message->is_forced && r.next != message->state.begins;
            if (r.next > now() + std::chrono::seconds(1) && !is_wrong && !is_forced) continue;
            const std::string domain = domain_of(recipients[i].address);
            if (auto why = suppressed_because(message->file.envelope().account, recipients[i].address)) {
                refused.push_back({i,
                                   {smtp_client::Verdict::Kind::Failed, std::move(*why), "5.1.0", false},
                                   {},
                                   {},
                                   false,
                                   false,
                                   {},
                                   RetryClass::Any});
                continue;
            }
            if (is_drained(domain)) {
                wait_drained(message->state.recipients[i], is_drained(""));
                continue;
            }
            auto found = routes_found.find(domain);
            if (found == routes_found.end())
                found = routes_found
                            .emplace(domain, message->state.route.empty()
                                                 ? plan()->routes.find(domain, message->file.envelope().reverse_path)
                                                 : parse_route(message->state.route))
                            .first;
            auto& route = found->second;
            if (!route) {
                const bool bad = route.error().code == Errc::BadInput;
                refused.push_back({i,
                                   {bad ? smtp_client::Verdict::Kind::Failed : smtp_client::Verdict::Kind::Deferred,
                                    route.error().text, bad ? "5.1.3" : "4.3.0", false},
                                   {},
                                   {},
                                   false,
                                   false,
                                   {},
                                   RetryClass::Any});
                continue;
            }
            if (route->kind != Route::Kind::LmtpUnix) route->wish = message->wish;
            auto& planned = ways[route->key()];
            planned.route = *route;
            planned.recipients.push_back(i);
            if (std::find(planned.domains.begin(), planned.domains.end(), domain) == planned.domains.end())
                planned.domains.push_back(domain);
        }
    }
    if (!refused.empty()) record(*message, refused);
    std::vector<std::pair<Route, Group>> groups;
    for (auto& [key, planned] : ways)
        for (std::size_t at = 0; at < planned.recipients.size(); at += plan()->settings.recipients) {
            const auto end = std::min<std::size_t>(at + plan()->settings.recipients, planned.recipients.size());
            groups.emplace_back(planned.route, Group{message,
                                                     {planned.recipients.begin() + static_cast<std::ptrdiff_t>(at),
                                                      planned.recipients.begin() + static_cast<std::ptrdiff_t>(end)},
                                                     planned.domains});
        }
    if (groups.empty()) return finish(message);
    const std::lock_guard guard(mutex);
    message->groups_left = groups.size();
    for (auto& [route, group] : groups) enqueue_locked(route, std::move(group));
}

void Engine::Impl::enqueue_locked(const Route& route, Group group) {
    auto& slot = destinations[route.key()];
    if (!slot) {
        slot = std::make_unique<Destination>();
        slot->route = route;
        slot->most = plan()->settings.limits.of(route.host);
        slot->limit = std::min(slot->limit, slot->most.connections);
    }
    const std::string sender = group.message->sender();
    slot->waiting.push(sender, std::move(group));
    make_ready_locked(*slot);
}

void Engine::Impl::start_worker_locked() {
    if (idle_workers >= ready_known.size() + ready_unknown.size() || stopping) return;
    if (workers.size() < plan()->settings.threads)
        workers.emplace_back([self = shared_from_this()] { self->run_worker(); });
}

void Engine::Impl::make_ready_locked(Destination& d, bool by_worker) {
    if (d.is_ready || d.waiting.empty() || d.running >= d.limit || !d.has_token()) return;
    d.is_ready = true;
    (d.is_known() ? ready_known : ready_unknown).push_back(&d);
    // A worker that is about to look for work needs nobody else for this.
    if (by_worker && ready_known.size() + ready_unknown.size() == 1) return;
    if (idle_workers > 0) work.notify_one();
    start_worker_locked();
}

// Destinations take turns: one group each, however many wait for one of them. Those of which nothing is known may hang
// for the whole time of a connection, so they get three quarters of the workers at most.
Destination* Engine::Impl::next_ready_locked() {
    const auto most_opening = std::max<std::size_t>(1, plan()->settings.threads * 3 / 4);
    const bool may_open = !ready_unknown.empty() && opening_workers < most_opening;
    if (ready_known.empty() && !may_open) return nullptr;
    unknown_turn = !unknown_turn;
    auto& from = may_open && (unknown_turn || ready_known.empty()) ? ready_unknown : ready_known;
    Destination* next = from.front();
    from.pop_front();
    next->is_ready = false;
    return next;
}

void Engine::Impl::run_worker() {
    std::unique_lock guard(mutex);
    for (;;) {
        Destination* next = nullptr;
        ++idle_workers;
        work.wait(guard, [&] { return stopping || (next = next_ready_locked()) != nullptr; });
        --idle_workers;
        if (stopping) return;
        Destination& d = *next;
        if (d.waiting.empty() || d.running >= d.limit) continue;
        Group group = d.waiting.pop();
        const std::string sender = group.message->sender();
        if (d.most.messages_a_minute > 0) d.tokens -= 1;
        ++d.running;
        ++busy_workers;
        const bool is_opening = !d.is_known();
        opening_workers += is_opening;
        make_ready_locked(d);
        std::optional<IdleSession> session;
        if (!d.idle.empty()) {
            session = std::move(d.idle.back());
            d.idle.pop_back();
        }
        guard.unlock();

        const bool delivered = deliver(d, group, session);
        if (session && session->messages >= plan()->settings.session_messages) {
            session->session->quit();
            session.reset();
        }
        if (delivered) group_done(group.message);

        guard.lock();
        if (!delivered) d.waiting.put_back(sender, std::move(group));
        if (session) {
            session->since = Steady::now();
            d.idle.push_back(std::move(*session));
        }
        --d.running;
        --busy_workers;
        opening_workers -= is_opening;
        make_ready_locked(d, true);
        if (busy_workers == 0) all_idle.notify_all();
        // One that was passed over for want of workers may be opened now.
        if (is_opening && !ready_unknown.empty()) work.notify_one();
    }
}

}  // namespace gk::queue
