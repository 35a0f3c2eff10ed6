// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/net/network.hpp"
#include "common/net/stream.hpp"
#include "common/os/fd.hpp"

struct sockaddr_storage;

namespace gk::net {

// The name of an address as the kernel gives it.
Endpoint endpoint_of(const sockaddr_storage& storage, unsigned length);

struct Listener {
    os::Fd fd;
    std::string name;             // the role: "smtp"
    bool proxy_protocol = false;  // every connection begins with a PROXY header (version 2)
};

struct ServerOptions {
    std::size_t max_connections = 1000;  // in all; a quarter more for loopback and TRUSTED
    std::size_t max_per_address = 20;    // loopback and TRUSTED are exempt, UNIX sockets too
    std::size_t max_idle_threads = 64;   // kept per listener for the next connection
    std::size_t stack_bytes = 256 * 1024;
    milliseconds io_timeout{300'000};  // what accepted sockets begin with, for free
    milliseconds pressure_timeout{0};  // under pressure, who did nothing for so long is asked to leave; 0: nobody
    Networks trusted;
    Networks proxies;  // who may send a PROXY header; others on such a listener are dropped
};

// What a connection and its server tell each other; lives until the handler returns.
struct Seat {
    std::atomic<bool> leave{false};          // the server stops, or needs the place: for SocketStream::set_cancel
    std::atomic<std::int64_t> active_ms{0};  // steady clock; the handler says when its client last did something
    void touch() noexcept;
};

struct Accepted {
    std::unique_ptr<SocketStream> stream;
    Endpoint peer;  // by the PROXY header where there is one
    const Listener* listener = nullptr;
    Seat* seat = nullptr;
};

enum class Refusal { TooManyConnections, TooManyFromAddress };

// Blocking threads, one connection each. Idle threads wait in accept(2) itself: a connection is handed to nobody,
// and the one that takes it makes sure another waits. Handlers must not throw.
class Server {
public:
    using Handler = std::function<void(Accepted)>;
    // Answers a connection past a limit, briefly; it is closed afterwards.
    using Refuser = std::function<void(Accepted, Refusal)>;

    Server(std::vector<Listener> listeners, ServerOptions options, Handler handler, Refuser refuser);
    ~Server();  // as stop(0), for as long as it takes
    Status start();
    // Accepts no more and makes stopping() true; reads of streams with set_cancel(&stop_flag()), or their seat's, end.
    // Waits until all connections are done or DRAIN is over; then shuts down what is left. The listening sockets stay
    // usable. False when a handler still waits for something else a second after that: the process should end then,
    // since the destructor waits for it.
    bool stop(milliseconds drain);

    bool stopping() const noexcept;
    const std::atomic<bool>& stop_flag() const noexcept;
    std::size_t active() const noexcept;
    bool under_pressure() const noexcept;  // more than four fifths of the connections are in use
    void set_limits(std::size_t max_connections, std::size_t max_per_address) noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gk::net
