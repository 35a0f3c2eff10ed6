// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/dkim_client/wire.hpp"
#include "common/mailauth/dkim/sign.hpp"
#include "common/net/stream.hpp"

// Who needs a signature asks `gk-dkim serve`, the one program that reads private keys.
namespace gk::dkim_client {

// A blocking client over one connection, made when first needed and made again when it broke. One thread at a time.
// Errors: Temporary where gk-dkim could not be asked or cannot answer now, NotFound where there is no such active key,
// BadInput where the question was malformed.
class Client {
public:
    explicit Client(std::string socket_path, std::chrono::milliseconds timeout = std::chrono::seconds(10));

    // The keys that sign for DOMAIN (in A-labels) now; empty where there are none.
    Result<std::vector<ActiveKey>> active_keys(const std::string& domain);
    // The signature over a SHA-256 digest; only a key that is active signs.
    Result<std::string> sign(const std::string& domain, const std::string& selector, std::string_view digest);
    Status ping();

private:
    Result<Reply> ask(const Request& request);
    Status connect();

    std::string path_;
    std::chrono::milliseconds timeout_;
    std::unique_ptr<net::Stream> stream_;
    std::unique_ptr<net::LineReader> reader_;
};

// Idle connections kept for the next who asks. Thread-safe; leases must end before the pool does.
class ClientPool {
public:
    explicit ClientPool(std::string socket_path, std::size_t most_idle = 16,
                        std::chrono::milliseconds timeout = std::chrono::seconds(10));
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

// The active keys of DOMAIN as mailauth::dkim::Signer and ARC sealing take them: each asks gk-dkim through POOL, which
// must outlive them. Empty where the domain has none.
Result<std::vector<mailauth::dkim::SignWith>> signing_keys(ClientPool& pool, const std::string& domain);
// The same for the nearest name at or above DOMAIN that has any: mx.a.test is signed for by a.test (RFC 7489, 3.1.1:
// aligned). No more than a few names are asked for.
Result<std::vector<mailauth::dkim::SignWith>> nearest_signing_keys(ClientPool& pool, std::string domain);

}  // namespace gk::dkim_client
