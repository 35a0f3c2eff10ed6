// SPDX-License-Identifier: MIT
#include "common/lmtp/session.hpp"

#include <fmt/format.h>

namespace gk::lmtp {

namespace {
constexpr std::string_view kBareLineEnd = "CR and LF appear only together (RFC 5321, 2.3.8)";
}

ServerSession::ServerSession(std::string hostname, Receiver& receiver, const Limits& limits)
    : hostname_(std::move(hostname)), receiver_(receiver), limits_(limits) {}

std::string ServerSession::greeting() const { return fmt::format("220 {} LMTP gk ready\r\n", hostname_); }

std::string ServerSession::feed(std::string_view bytes) {
    out_.clear();
    while (!bytes.empty() && !closed_) {
        switch (input_) {
            case Input::Command:
            case Input::Overlong: {
                const auto end = bytes.find('\n');
                if (input_ == Input::Command) {
                    line_.append(bytes.substr(0, end == std::string_view::npos ? end : end + 1));
                    if (line_.size() > limits_.max_line) {
                        input_ = Input::Overlong;
                        line_.clear();
                    }
                }
                bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
                if (end == std::string_view::npos) break;
                if (input_ == Input::Overlong) {
                    input_ = Input::Command;
                    refuse(500, "5.5.2", "line too long");
                    break;
                }
                const std::string line = std::exchange(line_, {});
                take_line(line);
                break;
            }
            case Input::Data:
                if (data_.decode(bytes, [this](std::string_view content) { take_content(content); })) {
                    input_ = Input::Command;
                    finish_message(data_.bare());
                }
                break;
            case Input::Chunk: {
                const auto piece =
                    bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, bytes.size())));
                bytes.remove_prefix(piece.size());
                chunk_left_ -= piece.size();
                if (!chunk_refused_) {
                    if (mail_.body != smtp::Body::Binary) line_ends_.feed(piece);
                    take_content(piece);
                }
                if (chunk_left_ == 0) end_chunk();
                break;
            }
        }
    }
    return std::exchange(out_, {});
}

void ServerSession::take_line(std::string_view line) {
    if (!line.ends_with("\r\n")) return refuse(500, "5.5.2", "a line ends with CRLF");
    line.remove_suffix(2);
    auto command = smtp::parse_command(line, {.lmtp = true});
    if (!command) return refuse(command.error().code, command.error().enhanced, command.error().text);
    std::visit([this](const auto& c) { on(c); }, *command);
}

// LHLO has the semantics of EHLO (RFC 2033, 4.1), and ends a transaction as RSET does (RFC 5321, 4.1.4).
void ServerSession::on(const smtp::Helo&) {
    end_transaction();
    greeted_ = true;
    out_ += fmt::format(
        "250-{}\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-BINARYMIME\r\n"
        "250-ENHANCEDSTATUSCODES\r\n250-SIZE {}\r\n250-DSN\r\n250-REQUIRETLS\r\n250 XGKTRACE\r\n",
        hostname_, limits_.max_size);
}

void ServerSession::on(const smtp::Mail& mail) {
    if (!greeted_) return refuse(503, "5.5.1", "say LHLO first");
    if (in_mail_) return refuse(503, "5.5.1", "a transaction is open already");
    if (mail.size && *mail.size > limits_.max_size)
        return refuse(552, "5.3.4", fmt::format("a message has at most {} bytes here", limits_.max_size));
    mail_ = mail;
    in_mail_ = true;
    say(250, "2.1.0", "sender ok");
}

void ServerSession::on(const smtp::Rcpt& rcpt) {
    if (!in_mail_ || in_chunks_) return refuse(503, "5.5.1", "say MAIL first");
    if (recipients_ >= limits_.max_recipients) return refuse(452, "4.5.3", "too many recipients for one transaction");
    const Reply reply = receiver_.recipient(mail_, rcpt);
    if (reply.positive()) ++recipients_;
    out_ += reply.format();  // a refusal is no error of the client's: gk-smtpd asks here for the whole world
}

void ServerSession::on(const smtp::Data&) {
    // RFC 3030, 3: BINARYMIME goes with BDAT only, and DATA does not continue what BDAT began.
    if (in_chunks_ || (in_mail_ && mail_.body == smtp::Body::Binary)) return refuse(503, "5.5.1", "use BDAT");
    if (!in_mail_ || recipients_ == 0) return refuse(503, "5.5.1", "no recipients");  // RFC 2033, 4.2
    data_ = {};
    size_ = 0;
    input_ = Input::Data;
    out_ += "354 end with CRLF.CRLF\r\n";
}

// RFC 3030, 2: whatever we think of it, the chunk's bytes follow.
void ServerSession::on(const smtp::Bdat& bdat) {
    chunk_refused_ = !in_mail_ || recipients_ == 0;
    if (!chunk_refused_ && !in_chunks_) {
        in_chunks_ = true;
        size_ = 0;
        line_ends_ = {};
    }
    chunk_left_ = chunk_size_ = bdat.size;
    chunk_last_ = bdat.last;
    input_ = Input::Chunk;
    if (chunk_left_ == 0) end_chunk();
}

void ServerSession::end_chunk() {
    input_ = Input::Command;
    if (chunk_refused_) return refuse(503, "5.5.1", "no recipients");
    if (chunk_last_) return finish_message(mail_.body != smtp::Body::Binary && line_ends_.bare_at_end());
    say(250, "2.0.0", fmt::format("{} octets received", chunk_size_));
}

void ServerSession::take_content(std::string_view bytes) {
    size_ += bytes.size();
    if (size_ <= limits_.max_size) receiver_.write(bytes);
}

// One reply for each recipient that RCPT accepted, in order (RFC 2033, 4.2).
void ServerSession::finish_message(bool bare) {
    if (size_ > limits_.max_size) {
        answer_each({552, "5.3.4", fmt::format("a message has at most {} bytes here", limits_.max_size)});
    } else if (bare) {
        answer_each({550, "5.6.0", std::string(kBareLineEnd)});
    } else {
        errors_ = 0;  // gk-smtpd keeps its sessions for days
        auto replies = receiver_.finish();
        replies.resize(recipients_, Reply{451, "4.3.0", "no answer for this recipient"});
        for (const Reply& reply : replies) out_ += reply.format();
    }
    end_transaction();
}

void ServerSession::on(const smtp::Rset&) {
    end_transaction();
    say(250, "2.0.0", "ok");
}

void ServerSession::on(const smtp::Noop&) { say(250, "2.0.0", "ok"); }

void ServerSession::on(const smtp::Quit&) {
    end_transaction();
    say(221, "2.0.0", "bye");
    closed_ = true;
}

void ServerSession::on(const smtp::Vrfy&) { say(252, "2.1.5", "ask with RCPT"); }
void ServerSession::on(const smtp::Help&) { say(214, "2.0.0", "LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT"); }

void ServerSession::end_transaction() noexcept {
    if (in_mail_) receiver_.reset();
    in_mail_ = in_chunks_ = false;
    recipients_ = 0;
    mail_ = {};
}

void ServerSession::say(int code, std::string_view enhanced, std::string_view text) {
    out_ += Reply{code, std::string(enhanced), std::string(text)}.format();
}

void ServerSession::refuse(int code, std::string_view enhanced, std::string_view text) {
    say(code, enhanced, text);
    if (++errors_ < limits_.max_errors || closed_) return;
    end_transaction();
    say(421, "4.7.0", "too many errors");
    closed_ = true;
}

void ServerSession::answer_each(const Reply& reply) {
    for (std::size_t i = 0; i < recipients_; ++i) out_ += reply.format();
}

}  // namespace gk::lmtp
