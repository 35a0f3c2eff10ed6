// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/smtp/command.hpp"
#include "common/smtp/content.hpp"
#include "common/smtp/reply.hpp"

// The server's side of one SMTP dialogue as a value: bytes in, replies and effects out. It holds no descriptor, no
// database and no clock but that of its settings. Any split of the input gives the same replies.
namespace gk::smtp {

// Port 25, 587 (RFC 6409), 465 (RFC 8314), and the UNIX socket for programs of this machine, whose user the kernel
// names.
enum class Service { Mx, Submission, Submissions, Local };

struct SessionLimits {
    std::uint64_t max_size = 50u << 20;
    std::size_t max_recipients = 1000;  // RFC 5321, 4.5.3.1.8 wants 100 at least
    std::size_t max_messages = 10'000;  // MAILMAX (RFC 9422)
    std::size_t max_errors = 100;       // refused commands, and commands that lead nowhere, between two messages
    std::size_t max_auth_failures = 5;
    std::size_t max_received = 50;  // loops (RFC 5321, 6.3 wants 100 at most to be the default)
};

struct SessionSettings {
    Service service = Service::Mx;
    std::string hostname;
    SessionLimits limits;
    bool tls_available = false;
    std::vector<std::string> mechanisms;        // offered under TLS without channel binding
    std::vector<std::string> mechanisms_cb;     // with it
    std::vector<std::string> mechanisms_clear;  // before TLS
    std::chrono::seconds most_hold{0};          // FUTURERELEASE (RFC 4865), for who is authenticated; 0: not offered
    TimePoint (*clock)() = &now;
};

// What the host knows of a TLS handshake.
struct TlsFacts {
    std::string version, cipher, sni;
    bool has_channel_binding = false;
};

// Effects. Those marked "answered" stop the session until the host calls the method named.
struct StartHandshake {};  // answered: tls_started(), or the host closes
struct BeginAuthentication {
    std::string mechanism;
    std::optional<std::string> response;
};  // answered: auth_…()
struct ContinueAuthentication {
    std::string response;
};  // answered: auth_…()
struct CancelAuthentication {};
struct CheckSender {};  // asked_mail() is asked for; answered: answer()
struct CheckRecipient {
    Rcpt rcpt;
};  // answered: answer()
struct ContentBytes {
    std::string_view bytes;
};                         // valid until the next call
struct EndContent {};      // the message is complete; answered: answer()
struct EndTransaction {};  // forget the transaction
using Effect = std::variant<StartHandshake, BeginAuthentication, ContinueAuthentication, CancelAuthentication,
                            CheckSender, CheckRecipient, ContentBytes, EndContent, EndTransaction>;

class Session {
public:
    // SETTINGS must outlive the session. TLS: facts of the implicit handshake, if there was one.
    explicit Session(const SessionSettings& settings, std::optional<TlsFacts> tls = std::nullopt);

    // Service::Local, before anything is fed: who it is, as the kernel says.
    void trust(std::string account) { account_ = std::move(account); }

    // BYTES must stay as they are until next() has returned nothing.
    void feed(std::string_view bytes) noexcept { input_ = bytes; }
    // The next effect, or nothing: then send output(), and close if closed(), else read more.
    std::optional<Effect> next();
    std::string take_output() { return std::exchange(output_, {}); }
    bool has_output() const noexcept { return !output_.empty(); }
    bool closed() const noexcept { return closed_; }
    // Refused in the middle of a message: the client still sends.
    bool closed_amid_content() const noexcept { return closed_amid_content_; }
    bool in_content() const noexcept { return input_mode_ == Input::Data || input_mode_ == Input::Chunk; }

    void answer(const Reply& reply);  // to CheckSender, CheckRecipient, EndContent
    void tls_started(TlsFacts facts);
    void auth_challenge(std::string_view bytes);
    void auth_succeeded(std::string account, const std::optional<std::string>& server_final);
    void auth_failed(const Reply& reply);
    void say_goodbye(const Reply& reply);  // the host ends it: timeout, shutdown, no resources

    const std::string& helo() const noexcept { return helo_; }
    bool extended() const noexcept { return extended_; }
    const std::string& account() const noexcept { return account_; }
    const std::optional<TlsFacts>& tls() const noexcept { return tls_; }
    const Mail& mail() const noexcept { return mail_; }
    const Mail& asked_mail() const noexcept { return asked_mail_; }  // during CheckSender
    const HeaderWatch& header() const noexcept { return header_; }
    const SessionSettings& settings() const noexcept { return settings_; }
    std::uint64_t content_size() const noexcept { return content_size_; }
    std::size_t messages() const noexcept { return messages_; }
    std::size_t total_errors() const noexcept { return total_errors_; }
    const std::string& last_refusal() const noexcept { return last_refusal_; }

private:
    enum class Input { Line, Overlong, Authentication, Data, Chunk };
    enum class Waiting { No, Sender, Recipient, Content, Handshake, Authentication };

    // Commands: one file each in commands/.
    void on(const Helo& helo);
    void on(const Mail& mail);
    void on(const Rcpt& rcpt);
    void on(const Data& data);
    void on(const Bdat& bdat);
    void on(const Rset& rset);
    void on(const Noop& noop);
    void on(const Quit& quit);
    void on(const StartTls& start_tls);
    void on(const Auth& auth);
    void on(const Vrfy& vrfy);
    void on(const Expn& expn);
    void on(const Help& help);
    void on_auth_line(std::string_view line);

    // Takes a line off the input; false when it is not complete yet.
    bool take_line(std::string_view& line);
    void take_command(std::string_view line);
    void take_data();
    void take_chunk();
    void take_content(std::string_view bytes);
    void begin_content();
    void end_content(bool bare);
    void end_transaction();

    void say(int code, std::string_view enhanced, std::string_view text);
    void refuse(int code, std::string_view enhanced, std::string_view text);  // counts as an error
    void hang_up(int code, std::string_view enhanced, std::string_view text);
    void count_error();
    const std::vector<std::string>& mechanisms() const;
    bool is_submission() const noexcept { return settings_.service != Service::Mx; }
    std::string ehlo_text() const;
    bool may_hold() const noexcept { return is_submission() && !account_.empty() && settings_.most_hold.count() > 0; }
    std::optional<Reply> refuse_hold(Mail& mail) const;

    const SessionSettings& settings_;
    std::optional<TlsFacts> tls_;
    std::string_view input_;
    std::string line_, output_;
    std::optional<Effect> effect_;
    Input input_mode_ = Input::Line;
    Waiting waiting_ = Waiting::No;
    bool closed_ = false, closed_amid_content_ = false;
    bool line_taken_ = false;
    std::uint64_t overlong_ = 0;

    std::string helo_, account_;
    bool extended_ = false;
    bool in_mail_ = false, chunking_ = false;
    bool auth_final_sent_ = false;
    std::string auth_account_;
    Mail mail_, asked_mail_;
    std::size_t recipients_ = 0;
    std::size_t messages_ = 0, errors_ = 0, total_errors_ = 0, auth_failures_ = 0;
    std::string last_refusal_;

    DataDecoder data_;
    LineEnds line_ends_;
    HeaderWatch header_;
    std::uint64_t content_size_ = 0, chunk_left_ = 0, chunk_size_ = 0;
    bool chunk_last_ = false, chunk_failed_ = false, content_begun_ = false;
};

}  // namespace gk::smtp
