// SPDX-License-Identifier: MIT
#include <unistd.h>
#include <array>
#include <cerrno>

#include "common/base/text.hpp"
#include "common/lmtp_client/lmtp_client.hpp"

namespace gk::lmtp_client {
namespace {

constexpr std::size_t kMaxReplyLine = 4096;
constexpr std::size_t kMaxReplyLines = 200;
constexpr std::size_t kFileChunk = 64 * 1024;

// "5.1.1 text" is {"5.1.1", "text"} (RFC 2034, 4).
void split_enhanced(Reply& reply, std::string_view text) {
    const auto space = std::min(text.find(' '), text.size());
    const auto parts = text::split(text.substr(0, space), '.');
    const bool numbers = parts.size() == 3 && text::to_uint(parts[1]) && text::to_uint(parts[2]) &&
                         parts[0].size() == 1 && parts[0][0] == static_cast<char>('0' + reply.code / 100);
    if (numbers) {
        reply.enhanced = text.substr(0, space);
        text.remove_prefix(std::min(space + 1, text.size()));
    }
    if (!reply.text.empty()) reply.text += '\n';
    reply.text += text;
}

// Doubles the dots that begin lines (RFC 5321, 4.5.2), over any split of the content.
class DotStuffer {
public:
    std::string feed(std::string_view bytes) {
        std::string out;
        out.reserve(bytes.size() + 16);
        for (const char c : bytes) {
            if (c == '.' && at_line_start_) out += '.';
            out += c;
            at_line_start_ = c == '\n';
        }
        return out;
    }
    std::string_view end() const { return at_line_start_ ? ".\r\n" : "\r\n.\r\n"; }

private:
    bool at_line_start_ = true;
};

// RFC 5321, 3.8: after 421 the server closes. It says nothing about the message: another session may take it.
tl::unexpected<Error> closing(const Reply& reply) {
    return fail(Errc::Closed, "the LMTP server ends the session: " + reply.text);
}

template <class Write>
Status each_chunk(const Content& content, Write&& write) {
    std::uint64_t offset = 0;
    std::string buffer;
    while (offset < content.file_size) {
        buffer.resize(std::min<std::uint64_t>(kFileChunk, content.file_size - offset));
        const ssize_t count = ::pread(content.file, buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_errno("cannot read a message back");
        if (count == 0) return fail(Errc::Temporary, "a message is shorter than it was");
        GK_CHECK(write(std::string_view(buffer.data(), static_cast<std::size_t>(count))));
        offset += static_cast<std::uint64_t>(count);
    }
    return ok();
}

}  // namespace

Session::Session(std::unique_ptr<net::Stream> stream, milliseconds timeout)
    : stream_(std::move(stream)), reader_(*stream_, kMaxReplyLine), timeout_(timeout) {}

Result<std::unique_ptr<Session>> Session::open(const std::string& socket_path, const std::string& hostname,
                                               milliseconds timeout) {
    GK_TRY(auto stream, net::connect_unix(socket_path, timeout));
    return over(std::move(stream), hostname, timeout);
}

Result<std::unique_ptr<Session>> Session::over(std::unique_ptr<net::Stream> stream, const std::string& hostname,
                                               milliseconds timeout) {
    std::unique_ptr<Session> session(new Session(std::move(stream), timeout));
    GK_CHECK(session->greet(hostname));
    return session;
}

Status Session::greet(const std::string& hostname) {
    GK_TRY(const auto greeting, read_reply());
    if (!greeting.positive()) return fail(Errc::Temporary, "the LMTP server refuses: " + greeting.text);
    GK_CHECK(stream_->write_all("LHLO " + hostname + "\r\n", timeout_));
    GK_TRY(const auto answer, read_reply());
    if (!answer.positive()) return fail(Errc::Temporary, "the LMTP server refuses LHLO: " + answer.text);
    for (const auto line : text::split(answer.text, '\n')) {
        const auto keyword = text::upper(line.substr(0, line.find(' ')));
        if (keyword == "CHUNKING") chunking_ = true;
        else if (keyword == "PIPELINING") pipelining_ = true;
        else if (keyword == "XGKTRACE") trace_ = true;
        else if (keyword == "DSN") dsn_ = true;
        else if (keyword == "REQUIRETLS") require_tls_ = true;
        else if (keyword == "SIZE") size_ = true;
        else if (keyword == "SMTPUTF8") utf8_ = true;
        else if (keyword == "8BITMIME") eight_bit_ = true;
        else if (keyword == "BINARYMIME") binary_ = true;
    }
    return ok();
}

Result<Reply> Session::read_reply() {
    Reply reply;
    for (std::size_t lines = 0; lines < kMaxReplyLines; ++lines) {
        GK_TRY(const std::string line, reader_.read_line(timeout_));
        const auto code = line.size() >= 3 ? text::to_uint(std::string_view(line).substr(0, 3)) : std::nullopt;
        const bool last = line.size() == 3 || (line.size() > 3 && line[3] == ' ');
        if (!code || *code < 200 || *code > 599 || (!last && line[3] != '-') ||
            (reply.code != 0 && reply.code != static_cast<int>(*code)))
            return fail(Errc::Temporary, "the LMTP server sent a malformed reply: " + text::printable(line, 80));
        reply.code = static_cast<int>(*code);
        split_enhanced(reply, line.size() > 4 ? std::string_view(line).substr(4) : std::string_view());
        if (last) return reply;
    }
    return fail(Errc::Temporary, "the LMTP server sent a reply without end");
}

void Session::begin(Sender sender) {
    reset();
    sender_ = std::move(sender);
    accepted_ = 0;
}

void Session::reset() noexcept {
    if (mail_sent_ && mail_reply_.positive()) needs_reset_ = true;
    mail_sent_ = false;
    accepted_ = 0;
}

std::string Session::mail_command() const {
    std::string command = "MAIL FROM:<" + sender_.reverse_path + ">";
    if (size_ && sender_.size > 0) command += " SIZE=" + std::to_string(sender_.size);
    if (!sender_.body.empty() && (sender_.body == "BINARYMIME" ? binary_ : eight_bit_))
        command += " BODY=" + sender_.body;
    if (utf8_ && sender_.smtputf8) command += " SMTPUTF8";
    if (require_tls_ && sender_.require_tls) command += " REQUIRETLS";
    if (dsn_ && !sender_.ret.empty()) command += " RET=" + sender_.ret;
    if (dsn_ && !sender_.envid.empty()) command += " ENVID=" + sender_.envid;
    if (trace_ && !sender_.trace_id.empty()) command += " XGKTRACE=" + sender_.trace_id;
    return command + "\r\n";
}

Result<Reply> Session::recipient(const Recipient& recipient) {
    GK_TRY(auto replies, recipients({recipient}));
    return std::move(replies.front());
}

Result<std::vector<Reply>> Session::recipients(const std::vector<Recipient>& recipients) {
    std::string commands;
    const bool resets = std::exchange(needs_reset_, false);
    if (resets) commands += "RSET\r\n";
    const bool mails = !mail_sent_;
    if (mails) commands += mail_command();
    for (const auto& recipient : recipients) {
        commands += "RCPT TO:<" + recipient.forward_path + ">";
        if (dsn_ && !recipient.notify.empty()) commands += " NOTIFY=" + recipient.notify;
        if (dsn_ && !recipient.orcpt.empty()) commands += " ORCPT=" + recipient.orcpt;
        commands += "\r\n";
    }
    // RFC 2033, 5: every LMTP server has PIPELINING.
    GK_CHECK(stream_->write_all(commands, timeout_));
    if (resets) GK_CHECK(read_reply());
    if (mails) {
        GK_TRY(mail_reply_, read_reply());
        if (mail_reply_.code == 421) return closing(mail_reply_);
        mail_sent_ = true;
    }
    std::vector<Reply> replies;
    replies.reserve(recipients.size());
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        GK_TRY(auto reply, read_reply());
        if (reply.code == 421) return closing(reply);
        if (!mail_reply_.positive()) reply = mail_reply_;
        if (reply.positive()) ++accepted_;
        replies.push_back(std::move(reply));
    }
    return replies;
}

Status Session::write_content(std::string_view head, const Content& content, bool stuff_dots) {
    if (stuff_dots) {
        DotStuffer stuffer;
        GK_CHECK(stream_->write_all(head, timeout_));
        for (const auto piece : content.pieces) GK_CHECK(stream_->write_all(stuffer.feed(piece), timeout_));
        GK_CHECK(each_chunk(content,
                            [&](std::string_view chunk) { return stream_->write_all(stuffer.feed(chunk), timeout_); }));
        return stream_->write_all(stuffer.end(), timeout_);
    }
    std::vector<std::string_view> pieces{head};
    pieces.insert(pieces.end(), content.pieces.begin(), content.pieces.end());
    GK_CHECK(stream_->write_pieces(pieces, timeout_));
    return each_chunk(content, [&](std::string_view chunk) { return stream_->write_all(chunk, timeout_); });
}

Result<std::vector<Reply>> Session::send(const Content& content) {
    if (accepted_ == 0) return fail(Errc::Bug, "a message without recipients");
    if (chunking_) {
        std::uint64_t size = content.file_size;
        for (const auto piece : content.pieces) size += piece.size();
        GK_CHECK(write_content("BDAT " + std::to_string(size) + " LAST\r\n", content, false));
    } else {
        GK_CHECK(stream_->write_all("DATA\r\n", timeout_));
        GK_TRY(const auto go_ahead, read_reply());
        if (go_ahead.code != 354) {
            std::vector<Reply> replies(accepted_, go_ahead);
            if (go_ahead.positive())
                return fail(Errc::Temporary, "the LMTP server does not take the message: " + go_ahead.text);
            reset();
            return replies;
        }
        GK_CHECK(write_content({}, content, true));
    }
    std::vector<Reply> replies;
    for (std::size_t i = 0; i < accepted_; ++i) {
        GK_TRY(auto reply, read_reply());
        replies.push_back(std::move(reply));
    }
    mail_sent_ = false;
    accepted_ = 0;
    return replies;
}

void Session::quit() noexcept {
    if (stream_->write_all("QUIT\r\n", timeout_)) (void)read_reply();
    stream_->close();
}

}  // namespace gk::lmtp_client
