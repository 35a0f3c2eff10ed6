// SPDX-License-Identifier: MIT
#include "common/smtp/transaction.hpp"

#include <unistd.h>
#include <cerrno>

#include "common/queue/spool.hpp"
#include "common/queue/state.hpp"

namespace gk::smtp {
namespace {

Reply from_lmtp(const lmtp_client::Reply& reply) {
    // A reply of gk-deliver always has its enhanced code; a foreign LMTP server's may not.
    std::string enhanced = reply.enhanced;
    if (enhanced.empty()) enhanced = reply.positive() ? "2.0.0" : reply.permanent() ? "5.0.0" : "4.0.0";
    return {reply.code, std::move(enhanced), reply.text};
}

std::string one_line(const Reply& reply) {
    std::string line = std::to_string(reply.code) + ' ' + reply.enhanced + ' ' + reply.text;
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
}

}  // namespace

void Transaction::begin(const Mail& mail, std::string trace_id) {
    reset();
    mail_ = mail;
    id_ = std::move(trace_id);
    spooled_ = 0;
}

std::size_t Transaction::local() const noexcept {
    return static_cast<std::size_t>(
        std::count_if(recipients_.begin(), recipients_.end(), [](const auto& r) { return r.local; }));
}

std::vector<std::string> Transaction::recipient_domains() const {
    std::vector<std::string> domains;
    for (const auto& recipient : recipients_) {
        const auto at = recipient.address.rfind('@');
        if (at == std::string::npos) continue;
        auto domain = recipient.address.substr(at + 1);
        if (std::find(domains.begin(), domains.end(), domain) == domains.end()) domains.push_back(std::move(domain));
    }
    return domains;
}

lmtp_client::Sender Transaction::sender() const {
    lmtp_client::Sender sender;
    sender.reverse_path = mail_.path.to_string();
    sender.trace_id = id_;
    sender.size = mail_.size.value_or(0);
    sender.smtputf8 = mail_.smtputf8;
    sender.require_tls = mail_.require_tls;
    if (mail_.body == Body::Binary) sender.body = "BINARYMIME";
    else if (mail_.body == Body::EightBit) sender.body = "8BITMIME";
    if (mail_.ret != Ret::None) sender.ret = mail_.ret == Ret::Full ? "FULL" : "HDRS";
    sender.envid = mail_.envid;
    return sender;
}

bool Transaction::open_session(bool fresh) {
    auto session = fresh ? places_.lmtp.take_new() : places_.lmtp.take();
    if (!session) {
        trouble_ = session.error().text;
        return false;
    }
    lmtp_ = std::move(*session);
    lmtp_->begin(sender());
    ++session_;
    return true;
}

Result<lmtp_client::Reply> Transaction::ask(const lmtp_client::Recipient& recipient) {
    const bool had_session = lmtp_ != nullptr;
    if (!had_session && !open_session(false)) return fail(Errc::Temporary, "cannot reach gk-deliver");
    auto reply = lmtp_->recipient(recipient);
    if (reply) return reply;
    // An idle session may have ended long ago, with the gk-deliver that it led to. Recipients it knew stay
    // accepted and go through the spool.
    lmtp_.reset();
    places_.lmtp.clear();
    if (!open_session(true)) return fail(Errc::Temporary, "cannot reach gk-deliver");
    reply = lmtp_->recipient(recipient);
    if (!reply) {
        trouble_ = reply.error().text;
        lmtp_.reset();
    }
    return reply;
}

Reply Transaction::recipient(const Rcpt& rcpt, RecipientFacts facts) {
    trouble_.clear();
    lmtp_client::Recipient asked{rcpt.path.to_string(), format_notify(rcpt.notify), rcpt.orcpt};
    auto answer = ask(asked);
    if (!answer && !facts.local) return {451, "4.3.0", "cannot verify the recipient now"};
    facts.delivery = answer ? from_lmtp(*answer) : Reply{451, "4.3.0", {}};
    const auto verdict = judge_recipient(facts);
    if (verdict.route != RecipientVerdict::Route::Refused)
        recipients_.push_back({std::move(asked.forward_path), rcpt.notify, rcpt.orcpt,
                               verdict.route == RecipientVerdict::Route::Local, session_, Reply{0, {}, {}}});
    return verdict.reply;
}

void Transaction::write(std::string_view bytes) {
    if (write_status_) write_status_ = body_.write(bytes);
}

void Transaction::deliver(const std::string& prefix) {
    if (!lmtp_ || lmtp_->accepted() == 0) return;
    lmtp_client::Content content;
    content.pieces = {prefix, body_.memory()};
    if (body_.file() >= 0) {
        content.file = body_.file();
        content.file_size = body_.file_size();
    }
    auto replies = lmtp_->send(content);
    if (!replies) {
        // gk-deliver went away; what it made durable before, if anything, comes a second time through the spool.
        trouble_ = replies.error().text;
        lmtp_.reset();
        return;
    }
    std::size_t next = 0;
    for (auto& recipient : recipients_)
        if (recipient.local && recipient.session == session_ && next < replies->size())
            recipient.outcome = from_lmtp((*replies)[next++]);
}

// RFC 3461, 5.2.3: who asked to hear of success does, also where the mailbox is ours.
bool Transaction::owes_notice(const Recipient& recipient) const {
    return recipient.outcome.code != 0 && recipient.outcome.positive() && (recipient.notify & kNotifySuccess) != 0 &&
           !mail_.path.is_null() && queue::local_fate(one_line(recipient.outcome)) != queue::LocalFate::Forwarded;
}

Status Transaction::spool(const std::string& prefix, const std::string& account) {
    queue::Envelope envelope;
    envelope.id = id_;
    envelope.trace_id = id_;
    envelope.reverse_path = mail_.path.to_string();
    envelope.account = account;
    envelope.envid = mail_.envid;
    envelope.ret = mail_.ret == Ret::Full      ? queue::Ret::Full
                   : mail_.ret == Ret::Headers ? queue::Ret::Headers
                                               : queue::Ret::Unset;
    envelope.body = mail_.body == Body::Binary     ? queue::Body::BinaryMime
                    : mail_.body == Body::EightBit ? queue::Body::EightBitMime
                                                   : queue::Body::SevenBit;
    envelope.hold_until = mail_.hold_until.value_or(TimePoint{});
    envelope.smtputf8 = mail_.smtputf8;
    envelope.require_tls = mail_.require_tls;
    for (const auto& recipient : recipients_) {
        const bool delivered = recipient.outcome.code != 0 && recipient.outcome.positive();
        if (delivered && !owes_notice(recipient)) continue;
        queue::Recipient queued{recipient.address, recipient.orcpt, recipient.notify};
        if (delivered) queued.delivered = one_line(recipient.outcome);
        if (recipient.outcome.code >= 500) queued.failed = one_line(recipient.outcome);
        envelope.recipients.push_back(std::move(queued));
    }
    GK_TRY(auto writer, queue::SpoolWriter::create(places_.spool, envelope));
    GK_CHECK(writer.write(prefix));
    GK_CHECK(writer.write(body_.memory()));
    std::string chunk(body_.file_size() > 0 ? 64 * 1024 : 0, '\0');
    for (std::uint64_t offset = 0; offset < body_.file_size();) {
        const ssize_t count = ::pread(body_.file(), chunk.data(), chunk.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return fail_errno("cannot read a message back");
        GK_CHECK(writer.write({chunk.data(), static_cast<std::size_t>(count)}));
        offset += static_cast<std::uint64_t>(count);
    }
    GK_TRY(const auto id, writer.commit());
    (void)id;
    spooled_ = envelope.recipients.size();
    return ok();
}

Reply Transaction::commit(const std::string& prefix, const std::string& account) {
    trouble_.clear();
    if (!write_status_) {
        trouble_ = write_status_.error().text;
        return {451, "4.3.0", "cannot store the message now"};
    }
    // What is to wait (RFC 4865) waits in the queue, whoever it is for.
    if (!mail_.hold_until) deliver(prefix);
    std::size_t delivered = 0, failed = 0;
    const Reply* failure = nullptr;
    for (const auto& recipient : recipients_) {
        if (recipient.outcome.code == 0) continue;
        if (recipient.outcome.positive()) ++delivered;
        if (recipient.outcome.code < 500) continue;
        ++failed;
        failure = &recipient.outcome;
    }
    if (failed == recipients_.size())
        return failure != nullptr ? *failure : Reply{451, "4.3.0", "cannot store the message now"};
    const bool owes =
        std::any_of(recipients_.begin(), recipients_.end(), [this](const auto& r) { return owes_notice(r); });
    if (delivered < recipients_.size() || owes) {
        if (const auto spooled = spool(prefix, account); !spooled) {
            trouble_ = spooled.error().text;
            // A report that is lost is no reason to deliver everything twice.
            if (delivered < recipients_.size()) return {451, "4.3.0", "cannot store the message now"};
        }
    }
    return {250, "2.0.0", "ok " + id_};
}

void Transaction::reset() noexcept {
    if (lmtp_) places_.lmtp.give(std::move(lmtp_));
    lmtp_.reset();
    recipients_.clear();
    body_.clear();
    write_status_ = ok();
    trouble_.clear();
}

}  // namespace gk::smtp
