// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>

#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/directory/directory.hpp"
#include "common/queue/engine_impl.hpp"
#include "common/srs/srs.hpp"

// From a group of recipients that go the same way to their verdicts.
namespace gk::queue {
namespace {

// Local delivery that is away is being restarted: seconds, not the schedule's minutes.
constexpr std::chrono::seconds kLocalWait{5};
// The longest time that a destination is left alone; messages may wait longer by their own schedule.
constexpr std::chrono::seconds kMostDown{1800};
// A destination that took a message so lately is not away.
constexpr std::chrono::seconds kRecent{30};
// gk-dkim is ours too: it comes back within seconds, or somebody must look.
constexpr std::chrono::seconds kSigningWait{30};

// An ASCII local part at an internationalized domain can be written in ASCII altogether.
std::string in_ascii(const std::string& address) {
    const auto at = address.rfind('@');
    if (at == std::string::npos || text::is_ascii(address) || !text::is_ascii(std::string_view(address).substr(0, at)))
        return address;
    return address.substr(0, at + 1) + domain_of(address);
}

// A report to a sender whose mail we forwarded: gk-deliver sends it on as it is, so that it must bear its signature by
// then.
bool goes_back_through_us(const ActiveMessage& message, const Group& group) {
    const auto& envelope = message.file.envelope();
    return envelope.reverse_path.empty() &&
           std::any_of(group.recipients.begin(), group.recipients.end(), [&](const auto i) {
               return srs::is_rewritten(directory::local_part_of(envelope.recipients[i].address));
           });
}

}  // namespace

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
        if (!is_local || goes_back_through_us(message, group)) {
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
