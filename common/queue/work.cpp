// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>

#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/message/header.hpp"
#include "common/queue/engine_impl.hpp"

// From a message that is due to its recipients' verdicts.
namespace gk::queue {
namespace {

// Local delivery that is away is being restarted: seconds, not the schedule's minutes.
constexpr std::chrono::seconds kLocalWait{5};
// The longest time that a destination is left alone; messages may wait longer by their own schedule.
constexpr std::chrono::seconds kMostDown{1800};
// For so long a destination that took a message is known to answer.
constexpr std::chrono::minutes kKnown{10};
// A destination that took a message so lately is not away.
constexpr std::chrono::seconds kRecent{30};
constexpr std::size_t kShortHeader = 4096, kScannedHeader = 64 * 1024;
// gk-dkim is ours too: it comes back within seconds, or somebody must look.
constexpr std::chrono::seconds kSigningWait{30};

// An ASCII local part at an internationalized domain can be written in ASCII altogether.
std::string in_ascii(const std::string& address) {
    const auto at = address.rfind('@');
    if (at == std::string::npos || text::is_ascii(address) || !text::is_ascii(std::string_view(address).substr(0, at)))
        return address;
    return address.substr(0, at + 1) + domain_of(address);
}

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

// Nothing was tried, and nothing is recorded. Where ALL is drained nothing is taken up, whatever is due.
void wait_drained(RecipientState& r, bool all) {
    if (!all) r.next = std::max(r.next, now() + kDrainedLook);
    r.text = kDrainedReason;
}

}  // namespace

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

smtp_client::Transaction Engine::Impl::transaction_for(const ActiveMessage& message, const Group& group,
                                                       bool is_lmtp) const {
    const auto& envelope = message.file.envelope();
    smtp_client::Transaction t;
    t.reverse_path = is_lmtp ? envelope.reverse_path : in_ascii(envelope.reverse_path);
    t.ret = envelope.ret == Ret::Full ? "FULL" : envelope.ret == Ret::Headers ? "HDRS" : "";
    // RFC 3461, 4.4: what our account's client did not name is named by us, so that a report that comes back is known.
    t.envid = envelope.envid.empty() && !envelope.account.empty() && !is_lmtp ? envelope.id : envelope.envid;
    t.smtputf8 = message.needs_smtputf8;
    t.require_tls = envelope.require_tls;
    t.trace_id = envelope.trace_id;
    for (const auto i : group.recipients) {
        const auto& r = envelope.recipients[i];
        t.recipients.push_back({is_lmtp ? r.address : in_ascii(r.address), r.orcpt, format_notify(r.notify)});
    }
    return t;
}

// Never an error: mail does not wait for a seal.
std::string Engine::Impl::seal_of(ActiveMessage& message, Content& content) {
    const auto current = plan();
    const auto& settings = current->settings.sealing;
    if (!settings.seal) return {};
    const std::lock_guard guard(message.forms.mutex());
    if (content.signatures) return content.signatures->value_or("");
    auto made = seal_message(content.source, settings, *current->signers, now());
    const bool sealed = made && !made->fields.empty();
    {
        log::Event event(sealed ? "queue.sealed" : "queue.unsealed", sealed ? log::Level::Info : log::Level::Debug);
        event.field("id", message.trace()).field("queue", message.id);
        if (made && !made->domain.empty()) event.field("domain", made->domain);
        if (!sealed) event.field("reason", made ? made->why_not : made.error().text);
    }
    content.signatures = sealed ? std::move(made->fields) : std::string();
    return **content.signatures;
}

// What goes in front of the message: DKIM-Signature fields, an ARC set, or nothing. An error: it must wait.
Result<std::string> Engine::Impl::signatures_of(ActiveMessage& message, Content& content) {
    if (is_passed_on(message.file.envelope())) return seal_of(message, content);
    const auto current = plan();
    const auto& settings = current->settings.signing;
    if (!settings.sign) return std::string();
    const std::lock_guard guard(message.forms.mutex());
    if (content.signatures) return *content.signatures;
    auto made = sign_message(content.source, settings, *current->signers, now());
    const bool waits = !made && settings.required;
    log::Event event(made && !made->fields.empty() ? "queue.signed" : "queue.unsigned",
                     made ? log::Level::Info : log::Level::Error);
    event.field("id", message.trace()).field("queue", message.id);
    if (made && !made->domain.empty()) event.field("domain", made->domain);
    if (!made) event.field("error", made.error().text).field("waits", waits);
    else if (!made->why_not.empty()) event.field("reason", made->why_not);
    if (waits) content.signatures = fail(made.error());
    else content.signatures = made ? std::move(made->fields) : std::string();
    return *content.signatures;
}

bool Engine::Impl::deliver(Destination& d, Group& group, std::optional<IdleSession>& session) {
    ActiveMessage& message = *group.message;
    {
        const std::lock_guard guard(message.mutex);
        if (!message.may_begin()) return true;
        if (is_drained(message, group)) {
            for (const auto i : group.recipients) wait_drained(message.state.recipients[i], is_drained(""));
            return true;
        }
    }
    const bool is_lmtp = d.route.is_lmtp();
    const bool is_local = d.route.kind == Route::Kind::LmtpUnix;
    auto transaction = transaction_for(message, group, is_lmtp);
    std::string front;
    ChosenContent chosen;
    const auto source = [&](std::uint64_t offset, std::size_t count) -> Result<std::string> {
        if (offset >= front.size()) return chosen.content->source(offset - front.size(), count);
        std::string piece = front.substr(offset, count);
        if (piece.size() == count) return piece;
        GK_TRY(const std::string rest, chosen.content->source(0, count - piece.size()));
        return piece + rest;
    };
    // Only once there is a session: a destination that is away costs no signature, and the peer's extensions decide in
    // what form it gets the message. Signatures are made over that.
    const auto prepare = [&](const smtp_client::Capabilities& peer) -> bool {
        auto form = message.forms.choose(message.file, message.path, dir, peer);
        if (!form) {
            not_prepared(message, group, form.error());
            return false;
        }
        chosen = *form;
        transaction.eight_bit = chosen.eight_bit;
        transaction.binary = chosen.binary;
        transaction.smtputf8 |= chosen.utf8_header;
        front.clear();
        if (!is_local) {
            auto made = signatures_of(message, *chosen.content);
            if (!made) {
                signing_failed(message, group, made.error());
                return false;
            }
            front = std::move(*made);
        }
        transaction.size = chosen.content->size + front.size();
        return true;
    };

    std::optional<smtp_client::Outcome> outcome;
    {
        // A peer that has just refused to take more is left alone on the sessions there are, too.
        const std::lock_guard guard(mutex);
        if (session && Steady::now() < d.down_until && d.refusals > 0) session.reset();
    }
    if (session) {
        if (!prepare(session->session->capabilities())) return true;
        outcome = session->session->send(transaction, source);
        if (outcome->stale) {
            outcome.reset();
            session.reset();
        }
    }
    if (!outcome) {
        std::optional<Opened> down;
        std::chrono::seconds wait{0};
        {
            const std::lock_guard guard(mutex);
            if (Steady::now() < d.down_until) {
                down = Opened{nullptr, d.last_failure.peer, false, d.last_failure.text, d.last_failure.status, {}};
                wait = std::chrono::duration_cast<std::chrono::seconds>(d.down_until - Steady::now()) +
                       std::chrono::seconds(1);
            }
        }
        if (down) {
            close_lanes(group, wait);
            postpone(message, group, *down, wait);
            return true;
        }
        const auto current = plan();
        Opened opened = current->connector->open(d.route, group.message->file.envelope().is_own);
        if (!opened.session) {
            {
                // A host that carries our other connections only wants no more of them.
                const std::lock_guard guard(mutex);
                if (!opened.permanent && d.running > 1 && Steady::now() - d.last_success < kRecent) {
                    d.cut(d.running - 1);
                    return false;
                }
            }
            open_failed(d, group, opened);
            return true;
        }
        session = IdleSession{std::move(opened.session), opened.peer, opened.tls, 0, Steady::now()};
        {
            const std::lock_guard guard(mutex);
            d.failures = 0;
            d.down_until = {};
        }
        if (!prepare(session->session->capabilities())) return true;
        outcome = session->session->send(transaction, source);
    }
    ++session->messages;
    const auto refusal = std::find_if(outcome->verdicts.begin(), outcome->verdicts.end(), [](const auto& verdict) {
        return verdict.kind == smtp_client::Verdict::Kind::Deferred && verdict.from_peer &&
               speaks_for_destination(verdict.text, verdict.status);
    });
    if (refusal != outcome->verdicts.end()) throttled(d, group, *refusal, session->peer);
    else if (outcome->reusable) succeeded(d, group);
    std::vector<Attempt> attempts;
    // Those that the peer takes no more of in one transaction come next.
    std::vector<std::size_t> rest;
    for (const auto i : outcome->untried) rest.push_back(group.recipients[i]);
    for (std::size_t i = 0; i < group.recipients.size(); ++i) {
        if (std::binary_search(outcome->untried.begin(), outcome->untried.end(), i)) continue;
        attempts.push_back({group.recipients[i],
                            outcome->verdicts[i],
                            session->peer,
                            session->tls,
                            outcome->dsn_relayed,
                            is_lmtp,
                            {},
                            is_local ? std::optional(RetryClass::Local) : std::nullopt});
    }
    record(message, attempts);
    if (!outcome->reusable) {
        session->session->quit();
        session.reset();
    }
    if (rest.empty()) return true;
    group.recipients = std::move(rest);
    return false;
}

void Engine::Impl::open_failed(Destination& d, const Group& group, const Opened& opened) {
    const bool is_local = d.route.kind == Route::Kind::LmtpUnix;
    std::vector<Attempt> attempts;
    for (const auto i : group.recipients)
        attempts.push_back(
            {i,
             {opened.permanent ? smtp_client::Verdict::Kind::Failed : smtp_client::Verdict::Kind::Deferred, opened.text,
              opened.status, false},
             opened.peer,
             {},
             false,
             d.route.is_lmtp(),
             is_local ? kLocalWait : std::chrono::seconds(0),
             is_local ? RetryClass::Local : RetryClass::Unreachable});
    record(*group.message, attempts);
    std::chrono::seconds wait{0};
    {
        const std::lock_guard guard(mutex);
        d.cut(1);
        if (opened.permanent || Steady::now() < d.down_until) return;
        // The others that wait for it need not find out one by one.
        ++d.failures;
        const auto& schedule = plan()->settings.schedule;
        wait = std::min(kMostDown, schedule.wait(d.failures, random_u64(), RetryClass::Unreachable, d.route.host) / 2);
        if (is_local) wait = kLocalWait;
        d.down_until = Steady::now() + wait;
        d.last_failure = Opened{nullptr, opened.peer, false, opened.text, opened.status, {}};
    }
    close_lanes(group, wait);
}

// The peer wants less from us, whatever the message: half as many sessions, and none for a while.
void Engine::Impl::throttled(Destination& d, const Group& group, const smtp_client::Verdict& why,
                             const std::string& peer) {
    std::chrono::seconds wait{0};
    {
        const std::lock_guard guard(mutex);
        d.cut(d.limit / 2);
        // Those that were under way at the same time say it too; it counts once.
        if (Steady::now() < d.down_until) return;
        ++d.refusals;
        const auto& schedule = plan()->settings.schedule;
        wait = std::min(kMostDown, schedule.wait(d.refusals, random_u64(), RetryClass::Throttled, d.route.host) / 2);
        d.down_until = Steady::now() + wait;
        d.last_failure = Opened{nullptr, peer, false, why.text, why.status, {}};
    }
    close_lanes(group, wait);
}

void Engine::Impl::succeeded(Destination& d, const Group& group) {
    bool is_news = false;
    {
        const std::lock_guard guard(mutex);
        d.grow();
        d.refusals = 0;
        d.last_success = Steady::now();
        for (const auto& domain : group.domains) is_news |= admission.succeeded(domain, d.most.messages_a_minute > 0);
    }
    if (!is_news) return;
    for (const auto& domain : group.domains) index->reopen(domain);
    wake_scheduler();
}

// What is on disk for these domains stays there until their destination is tried again.
void Engine::Impl::close_lanes(const Group& group, std::chrono::seconds wait) {
    if (wait.count() <= 0) return;
    for (const auto& domain : group.domains) index->close(domain, now() + wait);
    const std::lock_guard guard(mutex);
    for (const auto& domain : group.domains) admission.failed(domain, Steady::now() + wait);
}

// The message has no form that the peer takes (RFC 6152, 3; RFC 3030, 3), or the disk does not let it be made now.
void Engine::Impl::not_prepared(ActiveMessage& message, const Group& group, const Error& why) {
    const bool never = why.code == Errc::BadInput;
    const std::string text =
        never
            ? "the next server does not take 8-bit or binary content, and the message cannot be rewritten: " + why.text
            : "cannot be rewritten for the next server now: " + why.text;
    std::vector<Attempt> attempts;
    for (const auto i : group.recipients)
        attempts.push_back({i,
                            {never ? smtp_client::Verdict::Kind::Failed : smtp_client::Verdict::Kind::Deferred, text,
                             never ? "5.6.3" : "4.3.0", false},
                            {},
                            {},
                            false,
                            false,
                            {},
                            {}});
    record(message, attempts);
}

void Engine::Impl::signing_failed(ActiveMessage& message, const Group& group, const Error& why) {
    std::vector<Attempt> attempts;
    for (const auto i : group.recipients)
        attempts.push_back({i,
                            {smtp_client::Verdict::Kind::Deferred, "cannot be signed now: " + why.text, "4.7.0", false},
                            {},
                            {},
                            false,
                            false,
                            kSigningWait,
                            {}});
    record(message, attempts);
}

void Engine::Impl::group_done(const std::shared_ptr<ActiveMessage>& message) {
    {
        const std::lock_guard guard(mutex);
        if (--message->groups_left > 0) return;
    }
    finish(message);
}

}  // namespace gk::queue
