// SPDX-License-Identifier: MIT
#include <fmt/format.h>

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
constexpr std::chrono::seconds kMostDown{300};
// A destination that took a message so lately is not away.
constexpr std::chrono::seconds kRecent{30};
constexpr std::size_t kScannedHeader = 64 * 1024;
// gk-dkim is ours too: it comes back within seconds, or somebody must look.
constexpr std::chrono::seconds kSigningWait{30};

// What the header has to say about the way that the message goes.
void read_header(ActiveMessage& message) {
    const auto& envelope = message.file.envelope();
    const auto bytes = message.file.read_message(0, kScannedHeader);
    const auto header = bytes ? std::string_view(*bytes).substr(0, bytes->find("\r\n\r\n")) : std::string_view();
    // RFC 6531, 3.5: the extension is needed for UTF-8 in the envelope or header, not because a client asked for it.
    message.needs_smtputf8 = envelope.smtputf8 && (!bytes || !text::is_ascii(header));
    // RFC 8689, 5: the envelope's word outweighs the header's.
    if (envelope.require_tls) message.wish = tlspolicy::Wish::RequireTls;
    else if (const auto field = message::find_field(header, "TLS-Required"))
        if (text::equals_nocase(text::trim(message::unfold(*field, 100)), "No"))
            message.wish = tlspolicy::Wish::TlsOptional;
}

}  // namespace

void Engine::Impl::begin(const std::shared_ptr<ActiveMessage>& message) {
    struct Planned {
        Route route;
        std::vector<std::size_t> recipients;
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
            const bool is_wrong = r.attempts > 0 && r.next > now() + plan()->settings.schedule.most * 2;
            if (r.next > now() + std::chrono::seconds(1) && !is_wrong) continue;
            const std::string domain = domain_of(recipients[i].address);
            auto found = routes_found.find(domain);
            if (found == routes_found.end()) found = routes_found.emplace(domain, plan()->routes.find(domain)).first;
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
                                   {}});
                continue;
            }
            if (route->kind != Route::Kind::LmtpUnix) route->wish = message->wish;
            auto& planned = ways[route->key()];
            planned.route = *route;
            planned.recipients.push_back(i);
        }
    }
    if (!refused.empty()) record(*message, refused);
    std::vector<std::pair<Route, Group>> groups;
    for (auto& [key, planned] : ways)
        for (std::size_t at = 0; at < planned.recipients.size(); at += plan()->settings.recipients) {
            const auto end = std::min<std::size_t>(at + plan()->settings.recipients, planned.recipients.size());
            groups.emplace_back(planned.route, Group{message,
                                                     {planned.recipients.begin() + static_cast<std::ptrdiff_t>(at),
                                                      planned.recipients.begin() + static_cast<std::ptrdiff_t>(end)}});
        }
    if (groups.empty()) return finish(message);
    {
        const std::lock_guard guard(mutex);
        message->groups_left = groups.size();
        for (auto& [route, group] : groups) enqueue_locked(route, std::move(group));
    }
    work.notify_all();
}

void Engine::Impl::enqueue_locked(const Route& route, Group group) {
    auto& slot = destinations[route.key()];
    if (!slot) {
        slot = std::make_unique<Destination>();
        slot->route = route;
    }
    slot->waiting.push_back(std::move(group));
    if (!slot->is_ready && slot->running < slot->limit) {
        slot->is_ready = true;
        ready.push_back(slot.get());
    }
    if (idle_workers < ready.size() && workers.size() < plan()->settings.threads && !stopping)
        workers.emplace_back([self = shared_from_this()] { self->run_worker(); });
}

void Engine::Impl::run_worker() {
    std::unique_lock guard(mutex);
    for (;;) {
        ++idle_workers;
        work.wait(guard, [&] { return stopping || !ready.empty(); });
        --idle_workers;
        if (stopping) return;
        // Destinations take turns: one group each, however many wait for one of them.
        Destination& d = *ready.front();
        ready.pop_front();
        d.is_ready = false;
        if (d.waiting.empty()) continue;
        Group group = std::move(d.waiting.front());
        d.waiting.pop_front();
        ++d.running;
        ++busy_workers;
        if (!d.waiting.empty() && d.running < d.limit) {
            d.is_ready = true;
            ready.push_back(&d);
        }
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
        if (!delivered) d.waiting.push_front(std::move(group));
        if (session) {
            session->since = Steady::now();
            d.idle.push_back(std::move(*session));
        }
        --d.running;
        --busy_workers;
        if (!d.waiting.empty() && !d.is_ready && d.running < d.limit) {
            d.is_ready = true;
            ready.push_back(&d);
        }
        if (busy_workers == 0) all_idle.notify_all();
    }
}

smtp_client::Transaction Engine::Impl::transaction_for(const ActiveMessage& message, const Group& group,
                                                       bool is_lmtp) const {
    const auto& envelope = message.file.envelope();
    smtp_client::Transaction t;
    t.reverse_path = envelope.reverse_path;
    t.ret = envelope.ret == Ret::Full ? "FULL" : envelope.ret == Ret::Headers ? "HDRS" : "";
    t.envid = envelope.envid;
    t.eight_bit = envelope.body != Body::SevenBit;
    t.binary = envelope.body == Body::BinaryMime;
    t.smtputf8 = message.needs_smtputf8;
    t.require_tls = envelope.require_tls;
    t.size = message.file.message_size();
    t.trace_id = envelope.trace_id;
    for (const auto i : group.recipients) {
        const auto& r = envelope.recipients[i];
        std::string address = r.address;
        // An ASCII local part at an internationalized domain can be written in ASCII altogether.
        const auto at = address.rfind('@');
        if (!is_lmtp && at != std::string::npos && !text::is_ascii(address) &&
            text::is_ascii(std::string_view(address).substr(0, at)))
            address = address.substr(0, at + 1) + domain_of(address);
        t.recipients.push_back({std::move(address), r.orcpt, format_notify(r.notify)});
    }
    return t;
}

// Never an error: mail does not wait for a seal.
std::string Engine::Impl::seal_of(ActiveMessage& message) {
    const auto current = plan();
    const auto& settings = current->settings.sealing;
    if (!settings.seal) return {};
    const std::lock_guard guard(message.signing);
    if (message.signatures) return message.signatures->value_or("");
    auto made = seal_message(message.file, settings, *current->signers, now());
    const bool sealed = made && !made->fields.empty();
    {
        log::Event event(sealed ? "queue.sealed" : "queue.unsealed", sealed ? log::Level::Info : log::Level::Debug);
        event.field("id", message.trace()).field("queue", message.id);
        if (made && !made->domain.empty()) event.field("domain", made->domain);
        if (!sealed) event.field("reason", made ? made->why_not : made.error().text);
    }
    message.signatures = sealed ? std::move(made->fields) : std::string();
    return **message.signatures;
}

// What goes in front of the message: DKIM-Signature fields, an ARC set, or nothing. An error: it must wait.
Result<std::string> Engine::Impl::signatures_of(ActiveMessage& message) {
    if (is_passed_on(message.file.envelope())) return seal_of(message);
    const auto current = plan();
    const auto& settings = current->settings.signing;
    if (!settings.sign) return std::string();
    const std::lock_guard guard(message.signing);
    if (message.signatures) return *message.signatures;
    auto made = sign_message(message.file, settings, *current->signers, now());
    const bool waits = !made && settings.required;
    log::Event event(made && !made->fields.empty() ? "queue.signed" : "queue.unsigned",
                     made ? log::Level::Info : log::Level::Error);
    event.field("id", message.trace()).field("queue", message.id);
    if (made && !made->domain.empty()) event.field("domain", made->domain);
    if (!made) event.field("error", made.error().text).field("waits", waits);
    else if (!made->why_not.empty()) event.field("reason", made->why_not);
    if (waits) message.signatures = fail(made.error());
    else message.signatures = made ? std::move(made->fields) : std::string();
    return *message.signatures;
}

bool Engine::Impl::deliver(Destination& d, Group& group, std::optional<IdleSession>& session) {
    ActiveMessage& message = *group.message;
    {
        const std::lock_guard guard(message.mutex);
        if (message.deleted || message.state.held) return true;
    }
    const bool is_lmtp = d.route.is_lmtp();
    const bool is_local = d.route.kind == Route::Kind::LmtpUnix;
    auto transaction = transaction_for(message, group, is_lmtp);
    std::string front;
    const auto source = [&](std::uint64_t offset, std::size_t count) -> Result<std::string> {
        if (offset >= front.size()) return message.file.read_message(offset - front.size(), count);
        std::string piece = front.substr(offset, count);
        if (piece.size() == count) return piece;
        GK_TRY(const std::string rest, message.file.read_message(0, count - piece.size()));
        return piece + rest;
    };
    // Only once there is a session: a destination that is away costs no signature.
    const auto sign = [&]() -> bool {
        if (is_local || !front.empty()) return true;
        auto made = signatures_of(message);
        if (!made) {
            signing_failed(message, group, made.error());
            return false;
        }
        front = std::move(*made);
        transaction.size += front.size();
        return true;
    };

    std::optional<smtp_client::Outcome> outcome;
    if (session) {
        if (!sign()) return true;
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
                    d.limit = d.running - 1;
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
            d.limit = std::min(d.limit + 1, plan()->settings.destination_connections);
        }
        if (!sign()) return true;
        outcome = session->session->send(transaction, source);
    }
    ++session->messages;
    if (outcome->reusable) {
        const std::lock_guard guard(mutex);
        d.limit = std::min(d.limit + 1, plan()->settings.destination_connections);
        d.last_success = Steady::now();
    }
    std::vector<Attempt> attempts;
    for (std::size_t i = 0; i < group.recipients.size(); ++i)
        attempts.push_back({group.recipients[i],
                            outcome->verdicts[i],
                            session->peer,
                            session->tls,
                            outcome->dsn_relayed,
                            is_lmtp,
                            {},
                            is_local ? plan()->settings.schedule.first : std::chrono::seconds(0)});
    record(message, attempts);
    if (!outcome->reusable) {
        session->session->quit();
        session.reset();
    }
    return true;
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
             {},
             is_local ? kLocalWait : std::chrono::seconds(0)});
    record(*group.message, attempts);
    const std::lock_guard guard(mutex);
    d.limit = 1;
    if (opened.permanent || Steady::now() < d.down_until) return;
    // The others that wait for it need not find out one by one.
    ++d.failures;
    const auto wait = std::min(kMostDown, plan()->settings.schedule.wait(d.failures, random_u64()) / 2);
    d.down_until = Steady::now() + (is_local ? kLocalWait : wait);
    d.last_failure = Opened{nullptr, opened.peer, false, opened.text, opened.status, {}};
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
                            {},
                            kSigningWait});
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
