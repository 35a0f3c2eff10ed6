// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/mailauth/authres/field_filter.hpp"
#include "common/smtp/host.hpp"
#include "common/smtp/transaction.hpp"

namespace gk::smtp {

// One connection on its thread: reads, lets the session decide, performs its effects, writes.
class Connection {
public:
    Connection(Host& host, std::shared_ptr<const HostSettings> settings, Service service, net::Accepted accepted);
    void run();

private:
    using Clock = std::chrono::steady_clock;

    bool ask_kernel();
    std::optional<TlsFacts> start_tls();
    bool flush();
    bool read();
    void perform(Effect& effect);
    void on(const StartHandshake&);
    void on(const BeginAuthentication& begin);
    void on(const ContinueAuthentication& next);
    void on(const CancelAuthentication&);
    void on(const CheckSender&);
    void on(const CheckRecipient& check);
    void on(const ContentBytes& content);
    void on(const EndContent&);
    void on(const EndTransaction&) { end_transaction(); }
    void begin_content();
    void end_transaction() noexcept;
    bool comes_from_outside() const;
    bool is_stranger() const;
    void watch_for_pregreet();
    std::optional<Reply> judge(const Path& recipient);
    void authenticated(const Result<auth::Reply>& reply);
    Status may_send_as(const std::string& address);
    // Why the account may not submit so much more now, or nothing.
    std::optional<Reply> refuse_flood(std::uint64_t messages, std::uint64_t recipients);
    std::optional<Reply> refuse_from();

    milliseconds timeout() const;
    bool too_slow() const;
    void leave();
    void log_message(const Reply& reply) const;
    void log_trouble(std::string_view event, const std::string& error) const;  // our own, not the client's
    void log_connection() const;

    Host& host_;
    std::shared_ptr<const HostSettings> settings_;
    Service service_;
    net::Endpoint peer_;
    net::Seat* seat_;
    std::unique_ptr<net::Stream> stream_;
    net::SocketStream* socket_ = nullptr;  // below stream_
    tls::Stream* tls_ = nullptr;           // stream_, where it is TLS
    std::optional<Session> session_;
    Transaction transaction_;
    std::shared_ptr<const MakeDnsSource> dns_;
    std::optional<Inbound> inbound_;                        // where the client is one whose mail is checked
    std::optional<mailauth::authres::FieldFilter> filter_;  // of the message under way, once its content has begun
    bool pregreet_ = false;
    std::optional<std::vector<policy::Verdict>> client_verdicts_;  // once DNS was asked
    auth::ClientPool::Lease auth_{nullptr, {nullptr}};
    std::string ended_;
    unsigned uid_ = 0;                       // of the client, where it is local
    std::set<std::string> allowed_senders_;  // of the account
    std::vector<char> buffer_;
    Clock::time_point last_progress_, content_began_, message_began_;
};

}  // namespace gk::smtp
