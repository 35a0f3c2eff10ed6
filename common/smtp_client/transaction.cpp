// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <poll.h>

#include "common/base/text.hpp"
#include "common/smtp_client/session.hpp"

// One message over an open session: envelope, content, verdicts.
namespace gk::smtp_client {
namespace {

constexpr std::size_t kPiece = 64 * 1024;
// Commands sent before their replies are read. The replies (100 bytes each, or more) must fit the socket buffers,
// or both sides would wait for each other to read (RFC 2920, 3.1).
constexpr std::size_t kWindow = 50;

Verdict verdict_of(const Reply& reply) {
    Verdict verdict{Verdict::Kind::Deferred, reply.text(), reply.status(), true};
    if (reply.positive()) verdict.kind = Verdict::Kind::Delivered;
    else if (reply.permanent()) verdict.kind = Verdict::Kind::Failed;
    return verdict;
}

// RFC 3463: 4.4.2 bad connection, 4.4.1 no answer.
Verdict verdict_of(const Error& error, std::string_view when) {
    const char* status = error.code == Errc::Timeout ? "4.4.1" : error.code == Errc::BadInput ? "4.5.0" : "4.4.2";
    return {Verdict::Kind::Deferred, fmt::format("{} {}", error.text, when), status, false};
}

bool is_utf8_needed(const Transaction& t) {
    if (!text::is_ascii(t.reverse_path)) return true;
    for (const auto& recipient : t.recipients)
        if (!text::is_ascii(recipient.address)) return true;
    return t.smtputf8;
}

}  // namespace

// What the peer's announcements rule out: said without asking, so that the reason is clear.
std::optional<Verdict> Session::refuse_beforehand(const Transaction& t) const {
    // RFC 6531, 3.5 and RFC 6533: not to be sent to a server without the extension.
    if (is_utf8_needed(t) && !capabilities_.smtputf8)
        return Verdict{Verdict::Kind::Failed, "the next server does not support internationalized mail (SMTPUTF8)",
                       "5.6.7", false};
    // RFC 3030, 3: binary content needs BDAT and a server that keeps it.
    if (t.binary && !(capabilities_.binary && capabilities_.chunking))
        return Verdict{Verdict::Kind::Failed, "the next server does not support binary messages (BINARYMIME)", "5.6.1",
                       false};
    // RFC 1870, 6.1
    if (capabilities_.size != 0 && t.size > capabilities_.size)
        return Verdict{Verdict::Kind::Failed,
                       fmt::format("message of {} bytes is larger than the {} that the next server takes", t.size,
                                   capabilities_.size),
                       "5.3.4", false};
    return {};
}

std::string Session::mail_command(const Transaction& t) const {
    std::string line = fmt::format("MAIL FROM:<{}>", t.reverse_path);
    if (capabilities_.size_given && t.size > 0) line += fmt::format(" SIZE={}", t.size);
    if (t.binary) line += " BODY=BINARYMIME";
    // A server without 8BITMIME gets 8-bit content all the same, as from most MTAs: it works nearly everywhere.
    else if (capabilities_.eight_bit && (t.eight_bit || t.smtputf8)) line += " BODY=8BITMIME";
    if (capabilities_.smtputf8 && is_utf8_needed(t)) line += " SMTPUTF8";
    if (capabilities_.dsn && !t.ret.empty()) line += " RET=" + t.ret;
    if (capabilities_.dsn && !t.envid.empty()) line += " ENVID=" + t.envid;
    if (capabilities_.requiretls && t.require_tls) line += " REQUIRETLS";
    if (capabilities_.trace && !t.trace_id.empty()) line += " XGKTRACE=" + t.trace_id;
    return line + "\r\n";
}

std::string Session::rcpt_command(const Recipient& recipient) const {
    std::string line = fmt::format("RCPT TO:<{}>", recipient.address);
    if (capabilities_.dsn && !recipient.notify.empty()) line += " NOTIFY=" + recipient.notify;
    if (capabilities_.dsn && !recipient.orcpt.empty()) line += " ORCPT=" + recipient.orcpt;
    return line + "\r\n";
}

Status Session::envelope(const Transaction& t, Outcome& outcome, std::vector<std::size_t>& accepted) {
    const auto timeout = options_.timeouts.command;
    const std::size_t window = capabilities_.pipelining ? kWindow : 1;
    const bool reset = std::exchange(used_, true);
    bool mail_accepted = false;
    // Whoever spoke meanwhile said goodbye, or what would be taken for the answer to the next command.
    pollfd silence{secure_ ? secure_->socket().fd() : plain_->fd(), POLLIN, 0};
    if (reset && ::poll(&silence, 1, 0) > 0) {
        outcome.stale = true;
        return fail(Errc::Closed, "the peer ended the session");
    }
    // A session that the peer closed while it was idle shows it here; so does one whose network went away, which
    // would otherwise cost the whole time for a command.
    const auto read_reset = [&]() -> Status {
        const auto reply = read_reply(std::min(timeout, options_.timeouts.reuse));
        outcome.stale = !reply || !reply->positive();
        if (!reply) return fail(reply.error());
        if (outcome.stale) return fail(Errc::Closed, "RSET refused: " + reply->text());
        return ok();
    };
    // A refused MAIL is the answer to every recipient.
    const auto read_mail = [&]() -> Status {
        GK_TRY(const Reply reply, read_reply(timeout));
        mail_accepted = reply.positive();
        if (!mail_accepted)
            for (auto& verdict : outcome.verdicts) verdict = verdict_of(reply);
        return ok();
    };
    std::string out;
    if (capabilities_.pipelining) {
        if (reset) out += "RSET\r\n";
        out += mail_command(t);
    } else {
        if (reset) {
            outcome.stale = true;
            GK_CHECK(write("RSET\r\n", timeout));
            GK_CHECK(read_reset());
        }
        GK_CHECK(write(mail_command(t), timeout));
        GK_CHECK(read_mail());
        if (!mail_accepted) return ok();
    }
    for (std::size_t begin = 0; begin < t.recipients.size() && !broken_; begin += window) {
        const std::size_t end = std::min(begin + window, t.recipients.size());
        for (std::size_t i = begin; i < end; ++i) out += rcpt_command(t.recipients[i]);
        if (reset && begin == 0) outcome.stale = capabilities_.pipelining;
        GK_CHECK(write(out, timeout));
        out.clear();
        if (capabilities_.pipelining && begin == 0) {
            if (reset) GK_CHECK(read_reset());
            GK_CHECK(read_mail());
        }
        for (std::size_t i = begin; i < end && !broken_; ++i) {
            GK_TRY(const Reply reply, read_reply(timeout));
            if (!mail_accepted) continue;
            if (reply.positive()) {
                accepted.push_back(i);
                continue;
            }
            if (reply.intermediate()) return fail(Errc::BadInput, "an intermediate reply to RCPT: " + reply.text());
            outcome.verdicts[i] = verdict_of(reply);
            // RFC 5321, 4.5.3.1.10: a plain 552 here once meant "too many recipients", which passes.
            if (reply.code == 552 && reply.enhanced.empty()) outcome.verdicts[i].kind = Verdict::Kind::Deferred;
        }
        if (!mail_accepted) return ok();
    }
    return ok();
}

Status Session::send_data(const Source& source) {
    DotStuffer stuffer;
    std::string out;
    for (std::uint64_t offset = 0;;) {
        GK_TRY(const std::string piece, source(offset, kPiece));
        out.clear();
        stuffer.append(out, piece);
        offset += piece.size();
        if (piece.size() < kPiece) stuffer.finish(out);
        GK_CHECK(write(out, options_.timeouts.data_block));
        if (piece.size() < kPiece) return ok();
    }
}

// RFC 3030, 2: the length, then the bytes as they are.
Status Session::send_bdat(const Source& source, std::uint64_t size) {
    GK_CHECK(write(fmt::format("BDAT {} LAST\r\n", size), options_.timeouts.data_block));
    for (std::uint64_t offset = 0; offset < size;) {
        GK_TRY(const std::string piece, source(offset, kPiece));
        if (piece.empty()) return fail(Errc::Temporary, "message became shorter while it was sent");
        GK_CHECK(write(piece, options_.timeouts.data_block));
        offset += piece.size();
    }
    return ok();
}

Status Session::content(const Transaction& t, const Source& source, Outcome& outcome,
                        const std::vector<std::size_t>& accepted) {
    if (!t.binary) {
        GK_TRY(const Reply go, command("DATA", options_.timeouts.command));
        if (go.code != 354) {
            for (const auto i : accepted) outcome.verdicts[i] = verdict_of(go);
            // 2yz to DATA is nonsense, and the dialogue lost.
            if (!go.transient() && !go.permanent()) {
                for (const auto i : accepted) outcome.verdicts[i].kind = Verdict::Kind::Deferred;
                broken_ = true;
            }
            return ok();
        }
    }
    if (auto sent = t.binary ? send_bdat(source, t.size) : send_data(source); !sent) {
        const bool peer_gone = broken_;
        broken_ = true;  // the peer is in the middle of a message
        if (!peer_gone) return sent;
        // A server that hangs up while we send has often said why (552, 421).
        if (auto reply = read_reply(milliseconds(1'000)); reply && (reply->transient() || reply->permanent())) {
            for (const auto i : accepted) outcome.verdicts[i] = verdict_of(*reply);
            return ok();
        }
        return sent;
    }
    // RFC 2033, 4.2: LMTP answers once for each recipient accepted.
    std::optional<Reply> reply;
    for (const auto i : accepted) {
        if (!reply || options_.lmtp) {
            GK_TRY(reply, read_reply(options_.timeouts.data_end));
        }
        outcome.verdicts[i] = verdict_of(*reply);
        if (reply->intermediate()) broken_ = true;
    }
    return ok();
}

Outcome Session::send(const Transaction& t, const Source& source) {
    Outcome outcome;
    outcome.verdicts.resize(t.recipients.size());
    outcome.dsn_relayed = capabilities_.dsn;
    if (auto refusal = refuse_beforehand(t)) {
        for (auto& verdict : outcome.verdicts) verdict = *refusal;
        outcome.reusable = !broken_;
        return outcome;
    }
    std::vector<std::size_t> accepted;
    auto done = envelope(t, outcome, accepted);
    const char* when = "during the envelope";
    if (done && !accepted.empty() && !broken_) {
        when = "while the message was sent";
        done = content(t, source, outcome, accepted);
    }
    if (!done) broken_ = true;
    // Accepted at RCPT but without a final answer: nothing was promised, so it will be sent again.
    const Error lost = done ? Error{Errc::Closed, "the peer ended the connection"} : done.error();
    for (auto& verdict : outcome.verdicts)
        if (verdict.text.empty()) verdict = verdict_of(lost, when);
    outcome.reusable = !broken_ && unread_.empty();  // a reply too many would be the next message's
    return outcome;
}

}  // namespace gk::smtp_client
