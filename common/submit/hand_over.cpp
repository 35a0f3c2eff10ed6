// SPDX-License-Identifier: MIT
#include "common/submit/hand_over.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/net/stream.hpp"
#include "common/queue/spool.hpp"
#include "common/smtp_client/session.hpp"

// As GK_TRY, for failures with their exit code.
#define SUBMIT_TRY(declaration, expr) SUBMIT_TRY_(GK_CONCAT(outcome_, __LINE__), declaration, expr)
#define SUBMIT_TRY_(outcome, declaration, expr)                      \
    auto outcome = (expr);                                           \
    if (!outcome) return tl::unexpected(std::move(outcome).error()); \
    declaration = std::move(*outcome)

namespace gk::submit {
namespace {

constexpr net::milliseconds kConnect{30'000};
constexpr net::milliseconds kCommand{300'000};  // RFC 5321, 4.5.3.2
constexpr net::milliseconds kEnd{600'000};
constexpr std::size_t kMaxReply = 8192;

std::string socket_of(const config::Paths& paths) { return paths.run + "/submit.sock"; }

struct Reply {
    int code = 0;
    std::string text;  // on one line, the code in front
    std::vector<std::string> lines;
    bool good() const noexcept { return code >= 200 && code < 400; }
};

// What sysexits has for a refusal, by its enhanced status code (RFC 3463).
int exit_code_of(const Reply& reply) {
    const auto enhanced =
        reply.text.size() > 4 ? smtp_client::enhanced_code(std::string_view(reply.text).substr(4)) : std::string_view();
    if (reply.code < 500) return EX_TEMPFAIL;
    if (enhanced == "5.1.2") return EX_NOHOST;
    if (enhanced == "5.1.3" || enhanced == "5.1.7" || enhanced == "5.3.4" || enhanced == "5.5.4") return EX_DATAERR;
    if (enhanced.starts_with("5.6.")) return EX_DATAERR;
    if (enhanced.starts_with("5.1.")) return EX_NOUSER;
    if (enhanced.starts_with("5.7.")) return EX_NOPERM;
    return EX_UNAVAILABLE;
}

class Dialogue {
public:
    explicit Dialogue(std::unique_ptr<net::SocketStream> socket)
        : socket_(std::move(socket)), reader_(*socket_, kMaxReply) {}

    Outcome<Reply> hear(net::milliseconds timeout) {
        Reply reply;
        for (;;) {
            const auto line = reader_.read_line(timeout);
            if (!line) return tl::unexpected(Failure{EX_TEMPFAIL, "gk-smtpd: " + line.error().text});
            const auto code = text::to_uint(std::string_view(*line).substr(0, 3));
            if (line->size() < 3 || !code || *code < 200 || *code > 599)
                return tl::unexpected(Failure{EX_PROTOCOL, "gk-smtpd answers '" + text::printable(*line, 100) + "'"});
            reply.code = static_cast<int>(*code);
            if (reply.text.empty()) reply.text = *line;
            reply.lines.push_back(line->size() > 4 ? line->substr(4) : std::string());
            if (line->size() < 4 || (*line)[3] != '-') return reply;
        }
    }
    Outcome<Reply> say(const std::string& line, net::milliseconds timeout = kCommand) {
        if (const auto sent = write(line + "\r\n"); !sent) return tl::unexpected(failure_of(sent.error()));
        return hear(timeout);
    }
    // A refusal is a failure.
    Outcome<Reply> demand(const std::string& line, net::milliseconds timeout = kCommand) {
        auto reply = say(line, timeout);
        if (reply && !reply->good()) return tl::unexpected(Failure{exit_code_of(*reply), reply->text});
        return reply;
    }
    Status write(std::string_view bytes) { return socket_->write_all(bytes, kCommand); }

private:
    std::unique_ptr<net::SocketStream> socket_;
    net::LineReader reader_;
};

std::string mail_command(const Envelope& e, std::uint64_t size) {
    std::string line = fmt::format("MAIL FROM:<{}> SIZE={}", e.reverse_path, size);
    if (e.eight_bit) line += " BODY=8BITMIME";
    const auto is_ascii = [](const std::string& s) { return text::is_ascii(s); };
    if (!is_ascii(e.reverse_path) || !std::all_of(e.recipients.begin(), e.recipients.end(), is_ascii))
        line += " SMTPUTF8";
    if (!e.ret.empty()) line += " RET=" + e.ret;
    if (!e.envid.empty()) line += " ENVID=" + to_xtext(e.envid);
    if (e.hold_until) line += " HOLDUNTIL=" + format_rfc3339(*e.hold_until);
    return line;
}

Outcome<std::string> by_socket(std::unique_ptr<net::SocketStream> socket, const Envelope& e, std::uint64_t size,
                               const Source& source) {
    Dialogue peer(std::move(socket));
    SUBMIT_TRY(const Reply greeting, peer.hear(kCommand));
    if (!greeting.good()) return tl::unexpected(Failure{EX_TEMPFAIL, greeting.text});
    SUBMIT_TRY(const Reply ehlo, peer.demand("EHLO localhost"));
    const auto offers = [&](std::string_view word) {
        return std::any_of(ehlo.lines.begin(), ehlo.lines.end(),
                           [&](const auto& line) { return text::starts_with_nocase(line, word); });
    };
    if (e.hold_until && !offers("FUTURERELEASE"))
        return tl::unexpected(Failure{EX_UNAVAILABLE, "smtp.future_release_max permits no mail for later"});
    SUBMIT_TRY(const Reply mail, peer.demand(mail_command(e, size)));
    // All or none: a caller that hears of a failure sends again, and nobody is to get it twice.
    std::optional<Failure> refused;
    for (const auto& recipient : e.recipients) {
        SUBMIT_TRY(const Reply reply,
                   peer.say("RCPT TO:<" + recipient + ">" + (e.notify.empty() ? "" : " NOTIFY=" + e.notify)));
        if (reply.good()) continue;
        if (!refused) refused = Failure{exit_code_of(reply), {}};
        refused->text += (refused->text.empty() ? "" : "; ") + recipient + ": " + reply.text;
    }
    if (refused) return tl::unexpected(std::move(*refused));
    SUBMIT_TRY(const Reply data, peer.demand("DATA"));
    smtp_client::DotStuffer stuffer;
    std::string out;
    Status sent = source([&](std::string_view piece) -> Status {
        stuffer.append(out, piece);
        if (out.size() < 64 * 1024) return ok();
        GK_CHECK(peer.write(out));
        out.clear();
        return ok();
    });
    // Whatever ends the message but its own end must end the connection, not the message.
    if (!sent) return tl::unexpected(failure_of(sent.error()));
    stuffer.finish(out);
    if (sent = peer.write(out); !sent) return tl::unexpected(failure_of(sent.error()));
    SUBMIT_TRY(const Reply end, peer.hear(kEnd));
    if (!end.good()) return tl::unexpected(Failure{exit_code_of(end), end.text});
    (void)peer.write("QUIT\r\n");
    const auto words = text::words(end.text);
    return std::string(words.empty() ? std::string_view() : words.back());
}

Result<std::string> by_spool(const config::Paths& paths, const std::string& hostname, const Envelope& e,
                             const Source& source) {
    queue::Envelope envelope;
    envelope.id = new_id();
    envelope.account = fmt::format("uid {}", ::getuid());
    envelope.reverse_path = e.reverse_path;
    envelope.envid = to_xtext(e.envid);
    if (!e.ret.empty()) envelope.ret = e.ret == "FULL" ? queue::Ret::Full : queue::Ret::Headers;
    if (e.eight_bit) envelope.body = queue::Body::EightBitMime;
    envelope.hold_until = e.hold_until.value_or(TimePoint{});
    envelope.smtputf8 = !text::is_ascii(e.reverse_path);
    unsigned notify = queue::kNotifyUnset;
    if (!e.notify.empty()) {
        GK_TRY(notify, queue::parse_notify(e.notify));
    }
    for (const auto& recipient : e.recipients) {
        envelope.smtputf8 = envelope.smtputf8 || !text::is_ascii(recipient);
        envelope.recipients.push_back({recipient, {}, notify});
    }
    ::umask(0007);  // the file is shared by the spool's group
    GK_TRY(auto writer, queue::SpoolWriter::create(paths.spool, envelope));
    GK_CHECK(writer.write(fmt::format("Received: by {} (gk, from {}) id {};\r\n\t{}\r\n", hostname, envelope.account,
                                      envelope.id, format_mail_date(now()))));
    GK_CHECK(source([&](std::string_view piece) { return writer.write(piece); }));
    return writer.commit();
}

}  // namespace

Failure failure_of(const Error& error) { return {cli::exit_code(error.code), error.text}; }

std::string to_xtext(std::string_view s) {
    std::string out;
    for (const char c : s) {
        if (c > ' ' && c < 0x7f && c != '+' && c != '=') out += c;
        else out += fmt::format("+{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

Outcome<std::string> hand_over(const config::Paths& paths, const std::string& hostname, const Envelope& envelope,
                               std::uint64_t size, const Source& source) {
    auto socket = net::connect_unix(socket_of(paths), kConnect);
    if (socket) return by_socket(std::move(*socket), envelope, size, source);
    auto spooled = by_spool(paths, hostname, envelope, source);
    if (spooled) return std::move(*spooled);
    // Whatever keeps it out of the spool, the mail may be tried again once gk-smtpd runs.
    return tl::unexpected(
        Failure{EX_TEMPFAIL, fmt::format("gk-smtpd does not answer ({}), and the spool cannot be used ({})",
                                         socket.error().text, spooled.error().text)});
}

Outcome<int> relay_dialogue(const config::Paths& paths, int in, int out) {
    auto opened = net::connect_unix(socket_of(paths), kConnect);
    if (!opened) return tl::unexpected(Failure{EX_TEMPFAIL, "gk-smtpd does not answer: " + opened.error().text});
    net::SocketStream& socket = **opened;
    std::array<char, 16 * 1024> buffer{};
    bool client_is_there = true;
    for (;;) {
        std::array<pollfd, 2> fds{{{socket.fd(), POLLIN, 0}, {client_is_there ? in : -1, POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), -1) < 0) {
            if (errno == EINTR) continue;
            return tl::unexpected(failure_of(os_error(errno, "cannot wait for the dialogue")));
        }
        if (fds[0].revents != 0) {
            const auto count = socket.read_some(buffer, kCommand);
            if (!count) return tl::unexpected(Failure{EX_TEMPFAIL, count.error().text});
            if (*count == 0) return EX_OK;
            for (std::size_t at = 0; at < *count;) {
                const ssize_t n = ::write(out, buffer.data() + at, *count - at);
                if (n < 0 && errno == EINTR) continue;
                if (n < 0) return tl::unexpected(Failure{EX_IOERR, os_error(errno, "cannot write").text});
                at += static_cast<std::size_t>(n);
            }
        }
        if (client_is_there && fds[1].revents != 0) {
            const ssize_t n = ::read(in, buffer.data(), buffer.size());
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) {
                client_is_there = false;
                ::shutdown(socket.fd(), SHUT_WR);
            } else if (const auto sent = socket.write_all({buffer.data(), static_cast<std::size_t>(n)}, kCommand);
                       !sent) {
                return tl::unexpected(Failure{EX_TEMPFAIL, sent.error().text});
            }
        }
    }
}

}  // namespace gk::submit
