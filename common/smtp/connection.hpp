// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

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
    void on(const ContentBytes& content) { transaction_.write(content.bytes); }
    void on(const EndContent&);
    void on(const EndTransaction&) { transaction_.reset(); }
    void authenticated(const Result<auth::Reply>& reply);
    Status may_send_as(const std::string& address);
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
    auth::ClientPool::Lease auth_{nullptr, {nullptr}};
    std::string ended_;
    std::set<std::string> allowed_senders_;  // of the account
    std::vector<char> buffer_;
    Clock::time_point last_progress_, content_began_, message_began_;
};

}  // namespace gk::smtp
