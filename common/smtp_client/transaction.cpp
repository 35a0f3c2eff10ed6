// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <poll.h>
#include <algorithm>
#include <set>

#include "common/address/orcpt.hpp"
#include "common/base/text.hpp"
#include "common/smtp_client/session.hpp"

// One message over an open session: envelope, content, verdicts.
namespace gk::smtp_client {
namespace {

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kChunk = 256 * 1024;  // of BDAT
constexpr std::size_t kChunksAhead = 16;    // sent before their replies are read; these are short
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

// RFC 5321, 4.5.3.1.10: 452 at RCPT, once some were accepted, asks for another transaction.
bool is_enough_recipients(const Reply& reply) {
    return reply.code == 452 && (reply.enhanced.empty() || reply.enhanced == "4.5.3");
}

}  // namespace

// What the peer's announcements rule out: said without asking, so that the reason is clear.
std::optional<Verdict> Session::refuse_beforehand(const Transaction& t) const {
    // RFC 6531, 3.5 and 3.7.4.2: not to be sent to a server without the extension, and the codes for it.
    if (!text::is_ascii(t.reverse_path) && !capabilities_.smtputf8)
        return Verdict{
            Verdict::Kind::Failed,
            "the next server does not support internationalized addresses (SMTPUTF8), and the sender has one", "5.6.7",
            false};
    if (t.smtputf8 && !capabilities_.smtputf8)
        return Verdict{
            Verdict::Kind::Failed,
            "the next server does not support internationalized mail (SMTPUTF8), and the message's header is", "5.6.9",
            false};
    // RFC 3030, 3: binary content needs BDAT and a server that keeps it.
    if (t.binary && !(capabilities_.binary && capabilities_.chunking))
        return Verdict{Verdict::Kind::Failed, "the next server does not support binary messages (BINARYMIME)", "5.6.3",
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

std::string Session::rcpt_command(const Recipient& recipient, bool utf8) const {
    std::string line = fmt::format("RCPT TO:<{}>", recipient.address);
    if (capabilities_.dsn && !recipient.notify.empty()) line += " NOTIFY=" + recipient.notify;
    // RFC 6533, 3: without SMTPUTF8 in the transaction ORCPT has to be in 7 bits.
    if (capabilities_.dsn && !recipient.orcpt.empty())
        line += " ORCPT=" + (utf8 ? recipient.orcpt : address::orcpt_in_ascii(recipient.orcpt));
    return line + "\r\n";
}

// Those that this server can be asked about in one transaction; of the others OUTCOME tells.
std::vector<std::size_t> Session::choose_recipients(const Transaction& t, Outcome& outcome) const {
    std::vector<std::size_t> chosen;
    std::set<std::string> domains;
    for (std::size_t i = 0; i < t.recipients.size(); ++i) {
        const std::string_view address = t.recipients[i].address;
        if (!capabilities_.smtputf8 && !text::is_ascii(address)) {
            outcome.verdicts[i] = {
                Verdict::Kind::Failed,
                "the next server does not support internationalized addresses (SMTPUTF8), and this is one", "5.6.7",
                false};
            continue;
        }
        bool fits = capabilities_.recipients == 0 || chosen.size() < capabilities_.recipients;
        if (fits && capabilities_.recipient_domains != 0) {
            const auto domain = text::lower(address.substr(std::min(address.rfind('@'), address.size())));
            fits = domains.contains(domain) || domains.size() < capabilities_.recipient_domains;
            if (fits) domains.insert(domain);
        }
        (fits ? chosen : outcome.untried).push_back(i);
    }
    return chosen;
}

Status Session::envelope(const Transaction& t, const std::vector<std::size_t>& chosen, Outcome& outcome,
                         Accepted& accepted) {
    const bool utf8 = capabilities_.smtputf8 && is_utf8_needed(t);
    const auto timeout = options_.timeouts.command;
    const std::size_t window = capabilities_.pipelining ? kWindow : 1;
    const bool reused = std::exchange(used_, true);
    // What has just taken a message is at its beginning again (RFC 5321, 4.1.1.4), and was alive.
    const bool reset =
        reused && std::chrono::steady_clock::now() - std::exchange(settled_, {}) >= options_.timeouts.fresh;
    // DATA may end a group of commands (RFC 2920, 3.1).
    const bool with_data = capabilities_.pipelining && chosen.size() <= kWindow && !t.binary && !capabilities_.chunking;
    bool mail_accepted = false;
    // Whoever spoke meanwhile said goodbye, or what would be taken for the answer to the next command.
    pollfd silence{secure_ ? secure_->socket().fd() : plain_->fd(), POLLIN, 0};
    if (reused && ::poll(&silence, 1, 0) > 0) {
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
        const bool stands_for_reset = reused && !reset;
        auto answer = read_reply(stands_for_reset ? std::min(timeout, options_.timeouts.reuse) : timeout);
        // As with RSET: a session that ended between two messages, or whose network did. Nothing was taken.
        outcome.stale = stands_for_reset && !answer &&
                        (answer.error().code == Errc::Closed || answer.error().code == Errc::Timeout);
        GK_TRY(const Reply reply, std::move(answer));
        mail_accepted = reply.positive();
        if (mail_accepted) return ok();
        for (auto& verdict : outcome.verdicts)
            if (verdict.text.empty()) verdict = verdict_of(reply);
        outcome.untried.clear();
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
        outcome.stale = reused && !reset;
        GK_CHECK(write(mail_command(t), timeout));
        outcome.stale = false;
        GK_CHECK(read_mail());
        if (!mail_accepted) return ok();
    }
    for (std::size_t begin = 0; begin < chosen.size() && !broken_; begin += window) {
        const std::size_t end = std::min(begin + window, chosen.size());
        for (std::size_t n = begin; n < end; ++n) out += rcpt_command(t.recipients[chosen[n]], utf8);
        if (with_data) out += "DATA\r\n";
        if (reused && begin == 0) outcome.stale = capabilities_.pipelining;
        GK_CHECK(write(out, timeout));
        out.clear();
        if (capabilities_.pipelining && begin == 0) {
            if (reset) GK_CHECK(read_reset());
            else outcome.stale = false;
            GK_CHECK(read_mail());
        }
        for (std::size_t n = begin; n < end && !broken_; ++n) {
            const std::size_t i = chosen[n];
            GK_TRY(const Reply reply, read_reply(timeout));
            if (!mail_accepted) continue;
            if (reply.positive()) {
                accepted.recipients.push_back(i);
                continue;
            }
            if (reply.intermediate()) return fail(Errc::BadInput, "an intermediate reply to RCPT: " + reply.text());
            if (is_enough_recipients(reply) && !accepted.recipients.empty()) {
                outcome.untried.push_back(i);
                continue;
            }
            outcome.verdicts[i] = verdict_of(reply);
            // RFC 5321, 4.5.3.1.10: a plain 552 here once meant "too many recipients", which passes.
            if (reply.code == 552 && reply.enhanced.empty()) outcome.verdicts[i].kind = Verdict::Kind::Deferred;
        }
        if (!mail_accepted) break;
    }
    if (!with_data || broken_) return ok();
    GK_TRY(accepted.data, read_reply(timeout));
    // A reply too many came before this one: each was taken for the answer to the command before its own.
    if (!unread_.empty() && !broken_) {
        for (const auto i : chosen) outcome.verdicts[i] = {};
        return fail(Errc::BadInput, "the peer sent a reply that nothing had asked for");
    }
    if (accepted.recipients.empty()) return take_back(*accepted.data);
    return ok();
}

// RFC 2920, 3.1: a server may go on to the data although it accepted nobody; it gets none.
Status Session::take_back(const Reply& data) {
    if (!data.intermediate()) return ok();
    GK_CHECK(write(".\r\n", options_.timeouts.data_block));
    GK_TRY(const Reply end, read_reply(options_.timeouts.data_end));
    // It has promised to deliver nothing to nobody; who knows what it thinks comes next.
    if (end.positive()) broken_ = true;
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

// RFC 3030, 2: each piece behind its length; all but the last are answered as commands are, and with PIPELINING several
// are under way. The reply that ended the message early, or nothing: the last piece is sent and its reply still to
// come.
Result<std::optional<Reply>> Session::send_chunks(const Source& source, bool binary) {
    DotStuffer lines(DotStuffer::For::Bdat);
    const std::size_t ahead = capabilities_.pipelining ? kChunksAhead : 1;
    std::optional<Reply> refusal;
    std::string bytes;
    std::size_t unanswered = 0;
    const auto read_one = [&]() -> Status {
        GK_TRY(Reply reply, read_reply(options_.timeouts.data_end));
        --unanswered;
        if (!reply.positive() && !refusal) refusal = std::move(reply);
        return ok();
    };
    bool last = false;
    for (std::uint64_t offset = 0; !last && !refusal;) {
        GK_TRY(std::string piece, source(offset, kChunk));
        offset += piece.size();
        last = piece.size() < kChunk;
        bytes.clear();
        if (binary) {
            bytes = std::move(piece);
        } else {
            lines.append(bytes, piece);
            if (last) lines.finish(bytes);
        }
        GK_CHECK(write(fmt::format("BDAT {}{}\r\n", bytes.size(), last ? " LAST" : ""), options_.timeouts.data_block));
        GK_CHECK(write(bytes, options_.timeouts.data_block));
        if (last) break;
        ++unanswered;
        if (unanswered >= ahead) GK_CHECK(read_one());
    }
    while (unanswered > 0) GK_CHECK(read_one());
    // What followed a refused piece was refused with it (RFC 3030, 2), and the last one's reply is to be read too.
    if (refusal && last) {
        GK_TRY(const Reply ignored, read_reply(options_.timeouts.data_end));
        (void)ignored;
    }
    // How often LMTP answers here is nowhere said.
    if (refusal && options_.lmtp) broken_ = true;
    return refusal;
}

Status Session::content(const Transaction& t, const Source& source, Outcome& outcome, const Accepted& all) {
    const auto& accepted = all.recipients;
    const bool in_chunks = t.binary || capabilities_.chunking;
    std::optional<Reply> refusal;
    if (!in_chunks) {
        Reply go;
        if (all.data) {
            go = *all.data;
        } else {
            GK_TRY(go, command("DATA", options_.timeouts.command));
        }
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
    const auto send_content = [&]() -> Status {
        // As for a command: what is there before we ask is no answer.
        if (!unread_.empty()) return fail(Errc::BadInput, "the peer sent a reply that nothing had asked for");
        if (!in_chunks) return send_data(source);
        GK_TRY(refusal, send_chunks(source, t.binary));
        return ok();
    };
    if (auto sent = send_content(); !sent) {
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
    std::optional<Reply> reply = refusal;
    for (const auto i : accepted) {
        if (!reply || (options_.lmtp && !refusal)) {
            GK_TRY(reply, read_reply(options_.timeouts.data_end));
        }
        outcome.verdicts[i] = verdict_of(*reply);
        if (reply->intermediate()) broken_ = true;
    }
    if (!refusal) settled_ = std::chrono::steady_clock::now();
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
    const auto chosen = choose_recipients(t, outcome);
    if (chosen.empty()) {
        outcome.reusable = !broken_;
        return outcome;
    }
    ++transactions_;
    Accepted accepted;
    auto done = envelope(t, chosen, outcome, accepted);
    const char* when = "during the envelope";
    // 421 to DATA ends the session and is an answer all the same.
    if (done && !accepted.recipients.empty() && (!broken_ || accepted.data)) {
        when = "while the message was sent";
        done = content(t, source, outcome, accepted);
    }
    if (!done) broken_ = true;
    // Accepted at RCPT but without a final answer: nothing was promised, so it will be sent again.
    const Error lost = done ? Error{Errc::Closed, "the peer ended the connection"} : done.error();
    std::sort(outcome.untried.begin(), outcome.untried.end());
    for (std::size_t i = 0; i < outcome.verdicts.size(); ++i)
        if (outcome.verdicts[i].text.empty() && !std::binary_search(outcome.untried.begin(), outcome.untried.end(), i))
            outcome.verdicts[i] = verdict_of(lost, when);
    // RFC 9422, 4.1; and a reply too many would be the next message's.
    outcome.reusable =
        !broken_ && unread_.empty() && (capabilities_.messages == 0 || transactions_ < capabilities_.messages);
    return outcome;
}

}  // namespace gk::smtp_client
