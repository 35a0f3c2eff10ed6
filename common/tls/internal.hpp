// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/ssl.h>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/tls/tls.hpp"

// What the files of this module share; not for others.
namespace gk::tls {

template <auto Function>
struct Deleter {
    template <class T>
    void operator()(T* pointer) const noexcept {
        Function(pointer);
    }
};
using SslCtxPtr = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Deleter<SSL_free>>;
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Deleter<SSL_SESSION_free>>;

// WHAT with the first reason in OpenSSL's queue of errors, which is emptied.
Error openssl_error(Errc code, std::string_view what);

constexpr std::size_t kTicketKeysSize = 80;  // what SSL_CTX_set_tlsext_ticket_keys wants
using TicketKeys = std::array<unsigned char, kTicketKeysSize>;

struct ServerContext::State {
    std::vector<SslCtxPtr> contexts;  // in the order of the identities
};

struct ClientContext::State {
    SslCtxPtr context;
    Verify verify = Verify::Opportunistic;
    std::mutex mutex;
    std::map<std::string, SessionPtr> sessions;  // by session_key(); under mutex
};

struct Connection::Impl {
    std::shared_ptr<ServerContext::State> server;  // kept alive for its callbacks
    ClientContext::State* client = nullptr;
    Peer peer;
    std::string session_key;
    bool broken = false;  // a fatal error: no close_notify may be sent
    SslPtr ssl;

    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    // OpenSSL forgets the session of a connection that was not shut down; mail servers often just hang up.
    ~Impl() {
        if (ssl && !broken) SSL_set_shutdown(ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
};

// Sets what SSL, of a client, checks the server's certificate by: names, and TLSA records where there are some.
Status expect_peer(SSL* ssl, const Peer& peer);
// Equal for peers whose sessions may stand for each other: what was proved to one policy proves nothing to another.
std::string session_key(const Peer& peer);
Trust trust_of(long verify_result) noexcept;
std::string to_der(const X509* certificate);
X509Ptr from_der(std::string_view der);  // null where it is none

// Where a client's SSL finds its Connection::Impl, for the callback that stores sessions.
int connection_index();

}  // namespace gk::tls
