// SPDX-License-Identifier: MIT
#include "common/lmtp/host.hpp"

#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/delivery/content.hpp"

namespace gk::lmtp {

namespace {

Reply reply_of(const delivery::Answer& answer) { return {answer.code, answer.enhanced, answer.text}; }

// One transaction after the other, for one connection.
class Transactions final : public Receiver {
public:
    explicit Transactions(const CurrentService& current) : current_(current) {}

    Reply recipient(const smtp::Mail& mail, const smtp::Rcpt& rcpt) override {
        if (!service_.deliverer) begin(mail);
        delivery::Recipient recipient;
        recipient.address = rcpt.path.to_string();
        recipient.orcpt = rcpt.orcpt;
        recipient.notify = rcpt.notify;  // the same bits by RFC 3461
        const auto answer = service_.deliverer->check(recipient, mail.size.value_or(0), envelope_.reverse_path);
        if (answer.positive()) recipients_.push_back(std::move(recipient));
        return reply_of(answer);
    }

    void write(std::string_view bytes) override { (void)content_->write(bytes); }  // bytes() tells of an error

    std::vector<Reply> finish() override {
        const auto message = content_->bytes();
        if (!message) {
            log::Event("delivery.failed", log::Level::Error)
                .field("id", envelope_.trace_id)
                .field("error", message.error().text);
            return std::vector<Reply>(recipients_.size(), Reply{451, "4.3.0", "cannot hold the message now"});
        }
        const auto outcomes = service_.deliverer->deliver(envelope_, recipients_, *message);
        log_outcomes(envelope_, recipients_, outcomes, message->size());
        std::vector<Reply> replies;
        replies.reserve(outcomes.size());
        for (const auto& outcome : outcomes) replies.push_back(reply_of(outcome.answer));
        return replies;
    }

    void reset() noexcept override {
        if (content_) content_->clear();
        recipients_.clear();
        service_ = {};
    }

private:
    void begin(const smtp::Mail& mail) {
        service_ = current_();
        if (!content_) content_.emplace(service_.options->memory, service_.options->spill_directory);
        envelope_ = {};
        envelope_.reverse_path = mail.path.to_string();
        envelope_.trace_id = mail.trace.empty() ? new_id() : mail.trace;
        envelope_.from_gk = !mail.trace.empty();
        envelope_.body = mail.body == smtp::Body::Binary     ? queue::Body::BinaryMime
                         : mail.body == smtp::Body::EightBit ? queue::Body::EightBitMime
                                                             : queue::Body::SevenBit;
        envelope_.smtputf8 = mail.smtputf8;
        envelope_.require_tls = mail.require_tls;
        envelope_.ret = mail.ret == smtp::Ret::Full      ? queue::Ret::Full
                        : mail.ret == smtp::Ret::Headers ? queue::Ret::Headers
                                                         : queue::Ret::Unset;
        envelope_.envid = mail.envid;
    }

    const CurrentService& current_;
    Service service_;
    delivery::Envelope envelope_;
    std::vector<delivery::Recipient> recipients_;
    std::optional<delivery::Content> content_;
};

static_assert(static_cast<unsigned>(smtp::kNotifyNever) == queue::kNotifyNever &&
              static_cast<unsigned>(smtp::kNotifySuccess) == queue::kNotifySuccess &&
              static_cast<unsigned>(smtp::kNotifyFailure) == queue::kNotifyFailure &&
              static_cast<unsigned>(smtp::kNotifyDelay) == queue::kNotifyDelay);

}  // namespace

HostOptions HostOptions::from(const config::Config& config, std::string hostname) {
    HostOptions options;
    options.hostname = std::move(hostname);
    options.limits.max_size = config.size("smtp.max_size");
    options.limits.max_recipients = static_cast<std::size_t>(config.integer("delivery.max_recipients"));
    options.memory = config.size("delivery.memory");
    options.spill_directory = config.paths().mail;
    options.idle_timeout = std::chrono::seconds(config.duration_s("delivery.idle_timeout"));
    return options;
}

void serve(net::SocketStream& peer, const CurrentService& current, const std::atomic<bool>& stopping) {
    const auto options = current().options;
    Transactions transactions(current);
    ServerSession session(options->hostname, transactions, options->limits);
    if (!peer.write_all(session.greeting(), options->idle_timeout)) return;
    char buffer[64 * 1024];
    while (!session.closed()) {
        peer.set_cancel(session.in_transaction() ? nullptr : &stopping);
        const auto count = peer.read_some(buffer, options->idle_timeout);
        if (!count) {
            if (count.error().code == Errc::Timeout)
                (void)peer.write_all("421 4.4.2 silent too long\r\n", std::chrono::seconds(1));
            else if (stopping) (void)peer.write_all("421 4.3.2 shutting down\r\n", std::chrono::seconds(1));
            break;
        }
        if (*count == 0) break;
        const std::string replies = session.feed({buffer, *count});
        if (!replies.empty() && !peer.write_all(replies, options->idle_timeout)) break;
    }
    transactions.reset();  // a message that did not end is not a message
}

namespace {

// "sieve.action" for what was done, "sieve.failed" for what was not, "sieve.remark" for what was not to be done.
void log_deed(std::string_view id, const delivery::Deed& deed) {
    const bool failed = !deed.error.empty();
    log::Event event(failed                ? "sieve.failed"
                     : deed.action.empty() ? "sieve.remark"
                                           : "sieve.action",
                     failed ? log::Level::Warning : log::Level::Info);
    event.field("id", id).field("account", deed.account);
    if (!deed.scripts.empty()) event.field("script", deed.scripts);
    if (deed.line > 0) event.field("line", deed.line);
    if (!deed.action.empty()) event.field("action", deed.action);
    if (!deed.queue.empty()) event.field("queue", deed.queue);
    if (!deed.note.empty()) event.field("note", deed.note);
    if (failed) event.field("error", deed.error);
}

}  // namespace

void log_outcomes(const delivery::Envelope& envelope, const std::vector<delivery::Recipient>& recipients,
                  const std::vector<delivery::Outcome>& outcomes, std::uint64_t size) {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        const auto& outcome = outcomes[i];
        for (const auto& filed : outcome.filed) {
            log::Event event("message.delivered");
            event.field("id", envelope.trace_id).field("account", filed.account).field("mailbox", filed.mailbox);
            if (filed.uid != 0) event.field("uid", filed.uid);
            event.field("file", filed.file)
                .field("recipient", recipients[i].address)
                .field("sender", envelope.reverse_path);
            event.field("size", size);
        }
        for (const auto& deed : outcome.deeds) log_deed(envelope.trace_id, deed);
        if (!outcome.spool_id.empty())
            log::Event("message.spooled")
                .field("id", envelope.trace_id)
                .field("queue", outcome.spool_id)
                .field("recipient", recipients[i].address);
        if (!outcome.answer.positive() || !outcome.error.empty())
            log::Event("delivery.failed", outcome.answer.positive() ? log::Level::Warning : log::Level::Error)
                .field("id", envelope.trace_id)
                .field("recipient", recipients[i].address)
                .field("reply", outcome.answer.code)
                .field("error", outcome.error.empty() ? outcome.answer.text : outcome.error);
    }
}

}  // namespace gk::lmtp
