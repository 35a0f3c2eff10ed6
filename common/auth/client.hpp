// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/auth/wire.hpp"
#include "common/base/result.hpp"
#include "common/net/stream.hpp"

namespace gk::auth {

// A blocking client of gk-authd over one connection, made when first needed and made again when it broke.
// One thread at a time. An answer of FAIL is a Reply; an Error means gk-authd could not be asked (Temporary).
class Client {
public:
    // Failed logins are answered late on purpose (auth.backoff_most), so TIMEOUT is generous.
    explicit Client(std::string socket_path, std::chrono::milliseconds timeout = std::chrono::seconds(60));

    // Begins an exchange, and ends one still open.
    Result<Reply> begin(const Begin& begin);
    Result<Reply> respond(std::string_view bytes);  // the client's answer to a Continue
    Status cancel();                                // the client said "*" (RFC 4954, 4)

    // The account a ticket stands for; Denied when it is unknown, used, late or for another service.
    Result<std::string> redeem(const std::string& ticket, const std::string& service);
    // ok: USER may use ADDRESS as reverse-path and in From; Denied: it may not.
    Status may_send_as(const std::string& user, const std::string& address);
    // USER submits so much more, and it is counted; Denied, with the reason, where that would be past a limit.
    Status count(const std::string& user, std::uint64_t messages, std::uint64_t recipients);
    Status ping();

private:
    Result<Reply> ask(const Request& request, bool may_reconnect);
    Status connect();
    void drop() noexcept;

    std::string path_;
    std::chrono::milliseconds timeout_;
    std::unique_ptr<net::Stream> stream_;
    std::unique_ptr<net::LineReader> reader_;
    bool in_exchange_ = false;
};

// Idle connections kept for the next who asks. Thread-safe; leases must end before the pool does.
class ClientPool {
public:
    explicit ClientPool(std::string socket_path, std::size_t most_idle = 32,
                        std::chrono::milliseconds timeout = std::chrono::seconds(60));
    struct Return {
        ClientPool* pool;
        void operator()(Client* client) const;
    };
    using Lease = std::unique_ptr<Client, Return>;
    Lease take();

private:
    std::string path_;
    std::size_t most_idle_;
    std::chrono::milliseconds timeout_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Client>> idle_;
};

}  // namespace gk::auth
