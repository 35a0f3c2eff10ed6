// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"
#include "common/imap/control.hpp"
#include "common/net/network.hpp"
#include "common/os/daemon.hpp"
#include "common/tls/tls.hpp"

namespace gk::front {

class Connection;

// What a listener speaks.
enum class Protocol { Imap, ManageSieve };

using Milliseconds = std::int64_t;  // of the monotonic clock
Milliseconds monotonic_ms() noexcept;

struct Limits {
    static Limits from(const config::Config& config);
    std::size_t connections = 0, per_address = 0, auth_exchanges = 0;
    Milliseconds handshake = 0, login = 0, stall = 0, drain = 0;
    int login_failures = 0;
    net::Networks trusted;
};

// Connects at once or not at all: UNIX sockets do not wait unless their backlog is full.
os::Fd connect_now(const std::string& path);
// A line fits the socket's empty buffer; one that does not is a peer that reads nothing.
bool send_line(int fd, std::string_view line);

// Which of a connection's descriptors an event is about.
enum class Side : std::uint32_t { Client = 0, Auth = 1, Session = 2 };

// One epoll loop over all connections. What they share is here: limits, certificates, deadlines, the queue for
// gk-authd.
class Front {
public:
    static Result<std::unique_ptr<Front>> create(config::Config config, std::vector<os::ListenFd> listeners);
    ~Front();
    // Until SIGTERM, then until all connections have ended or the drain is over.
    Status run(os::Signals& signals);

    const config::Config& config() const noexcept { return config_; }
    const Limits& limits() const noexcept { return limits_; }
    const tls::ServerContext& tls() const noexcept { return *tls_; }
    const std::string& hostname() const noexcept { return hostname_; }
    bool draining() const noexcept { return draining_; }
    char* scratch() noexcept { return scratch_.data(); }  // for one read, by one connection
    std::size_t scratch_size() const noexcept { return scratch_.size(); }

    // The line to gk-imapd about sleeping sessions: opened with the first session that begins.
    const std::string& name() const noexcept { return name_; }
    std::uint64_t at(std::uint32_t slot) const noexcept;  // our name for a connection there
    void need_control();
    void tell_imapd(const imap::Control& control);
    void read_control();  // what was said up to now

    // Tells epoll what SIDE of the connection in SLOT waits for; INTEREST and REGISTERED are the connection's own
    // memory of it.
    void watch(std::uint32_t slot, Side side, int fd, std::uint32_t events, std::uint32_t& registered);
    void set_deadline(std::uint32_t slot, Milliseconds at);  // 0: none
    // A place among the exchanges with gk-authd. False: the connection's start_exchange() is called when there is one.
    bool take_exchange(std::uint32_t slot);
    void leave_exchange(std::uint32_t slot, bool had_place);
    // The client is to say the next word of its exchange. Where others wait for a place, it has a few seconds for
    // that: else a few clients that never answer would keep everybody out.
    void client_thinks(std::uint32_t slot);
    void client_answered(std::uint32_t slot);
    void session_began() noexcept { ++sessions_; }
    void session_ended() noexcept { --sessions_; }
    // A connection needs less from now on: freed memory goes back to the system soon, for many at once.
    void shrank() noexcept;
    void finished(std::uint32_t slot);  // the connection is to be destroyed after this event

private:
    Front() = default;
    struct Slot {
        std::unique_ptr<Connection> connection;
        std::uint32_t generation = 0;
        Milliseconds deadline = 0;
        std::string address;  // counted under; empty where exempt
    };
    Milliseconds next_taken_back() const;
    void lose_control();
    void on_control_line(std::string_view line);
    void accept_from(std::size_t listener);
    bool admit(const net::Endpoint& peer, std::string& address) const;
    void dispatch(std::uint64_t token, std::uint32_t events);
    void expire();
    void bury();
    void reload();
    void begin_drain();
    int wait_ms(Milliseconds next_watchdog) const;

    config::Config config_;
    Limits limits_;
    std::string hostname_;
    std::shared_ptr<tls::ServerContext> tls_;
    os::Fd epoll_;
    std::vector<os::ListenFd> listeners_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_slots_, finished_;
    std::set<std::pair<Milliseconds, std::uint32_t>> deadlines_;
    std::unordered_map<std::string, std::size_t> per_address_;
    std::deque<std::uint32_t> waiting_for_auth_;
    std::deque<std::pair<Milliseconds, std::uint32_t>> thinking_;  // since when, and who; the longest first
    std::size_t exchanges_ = 0, sessions_ = 0, connections_ = 0;
    std::vector<char> scratch_;
    std::string name_;
    os::Fd control_;
    std::string control_in_;  // part of a line
    bool draining_ = false;
    Milliseconds accept_again_at_ = 0, drain_until_ = 0, trim_at_ = 0;
};

}  // namespace gk::front
