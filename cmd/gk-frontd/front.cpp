// SPDX-License-Identifier: MIT
#include "cmd/gk-frontd/front.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <ctime>

#include "cmd/gk-frontd/connection.hpp"
#include "cmd/gk-frontd/token.hpp"
#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/net/server.hpp"
#include "common/tls/identities.hpp"

namespace gk::front {

namespace {

constexpr Milliseconds kThinkingTime = 3000;
constexpr Milliseconds kTrimAfter = 5000;
constexpr Milliseconds kAcceptPause = 200;  // when descriptors run out
constexpr int kKeepaliveSeconds =
    300;  // below what home routers forget (RFC 5382, REQ-5 asks for 2 hours 4 minutes; few obey)

Result<std::shared_ptr<tls::ServerContext>> open_tls(const config::Config& config) {
    GK_TRY(auto identities,
           tls::find_identities(config.string("tls.certificate"), config.string("tls.key"), config.paths().keys));
    return tls::ServerContext::create({std::move(identities)});
}

std::string hostname_of(const config::Config& config) {
    if (const auto& name = config.string("server.hostname"); !name.empty()) return name;
    char name[256] = "localhost";
    ::gethostname(name, sizeof name - 1);
    return name;
}

}  // namespace

Milliseconds monotonic_ms() noexcept {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<Milliseconds>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

Limits Limits::from(const config::Config& config) {
    Limits limits;
    limits.connections = static_cast<std::size_t>(config.integer("front.connections"));
    limits.per_address = static_cast<std::size_t>(config.integer("front.connections_per_address"));
    limits.auth_exchanges = static_cast<std::size_t>(config.integer("front.auth_exchanges"));
    limits.handshake = config.duration_s("front.handshake_timeout") * 1000;
    limits.login = config.duration_s("front.login_timeout") * 1000;
    limits.stall = config.duration_s("front.stall_timeout") * 1000;
    limits.drain = config.duration_s("server.drain_timeout") * 1000;
    limits.login_failures = static_cast<int>(config.integer("front.login_failures"));
    if (auto trusted = net::Networks::parse(config.strings("server.trusted_networks")))
        limits.trusted = std::move(*trusted);
    // Two descriptors a session, three while it logs in: better refuse early than fail in the middle.
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
        limits.connections = std::min<std::size_t>(
            limits.connections,
            std::max<rlim_t>(16, (files.rlim_cur - std::min<rlim_t>(files.rlim_cur, 64 + limits.auth_exchanges)) / 2));
    return limits;
}

Result<std::unique_ptr<Front>> Front::create(config::Config config, std::vector<os::ListenFd> listeners) {
    std::unique_ptr<Front> front(new Front);
    GK_TRY(const auto trusted, net::Networks::parse(config.strings("server.trusted_networks")));
    GK_TRY(front->tls_, open_tls(config));
    front->config_ = std::move(config);
    front->limits_ = Limits::from(front->config_);
    front->hostname_ = hostname_of(front->config_);
    front->listeners_ = std::move(listeners);
    front->scratch_.resize(64 * 1024);
    front->name_ = new_id();
    front->epoll_ = os::Fd(::epoll_create1(EPOLL_CLOEXEC));
    if (!front->epoll_) return fail_errno("cannot make an epoll instance");
    for (std::uint32_t i = 0; i < front->listeners_.size(); ++i) {
        const int fd = front->listeners_[i].fd.get();
        const auto& name = front->listeners_[i].name;
        if (name != "imap" && name != "imaps" && name != "sieve")
            return fail(Errc::Unsupported, fmt::format("no service for a socket named '{}'", name));
        ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = token(i, kListenerSide, 0);
        if (::epoll_ctl(front->epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
            return fail_errno("cannot watch a socket");
    }
    return front;
}

Front::~Front() = default;

void Front::watch(std::uint32_t slot, Side side, int fd, std::uint32_t events, std::uint32_t& registered) {
    if (events == registered) return;
    epoll_event event{};
    event.events = events;
    event.data.u64 = token(slot, static_cast<std::uint64_t>(side), slots_[slot].generation);
    // Not merely without events: a peer that hung up would be reported again and again.
    const int action = events == 0 ? EPOLL_CTL_DEL : registered == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    ::epoll_ctl(epoll_.get(), action, fd, &event);
    registered = events;
}

void Front::set_deadline(std::uint32_t slot, Milliseconds at) {
    auto& current = slots_[slot].deadline;
    if (current == at) return;
    if (current != 0) deadlines_.erase({current, slot});
    if (at != 0) deadlines_.insert({at, slot});
    current = at;
}

bool Front::take_exchange(std::uint32_t slot) {
    if (exchanges_ < limits_.auth_exchanges && waiting_for_auth_.empty()) {
        ++exchanges_;
        return true;
    }
    waiting_for_auth_.push_back(slot);
    return false;
}

void Front::client_thinks(std::uint32_t slot) { thinking_.emplace_back(monotonic_ms(), slot); }

void Front::client_answered(std::uint32_t slot) {
    std::erase_if(thinking_, [slot](const auto& one) { return one.second == slot; });
}

// When a place may be taken back; 0 for none.
Milliseconds Front::next_taken_back() const {
    if (waiting_for_auth_.empty() || exchanges_ < limits_.auth_exchanges || thinking_.empty()) return 0;
    return thinking_.front().first + kThinkingTime;
}

void Front::leave_exchange(std::uint32_t slot, bool had_place) {
    client_answered(slot);
    if (had_place) --exchanges_;
    else std::erase(waiting_for_auth_, slot);
}

void Front::shrank() noexcept {
    if (trim_at_ == 0) trim_at_ = monotonic_ms() + kTrimAfter;
}

void Front::finished(std::uint32_t slot) {
    if (std::find(finished_.begin(), finished_.end(), slot) == finished_.end()) finished_.push_back(slot);
}

void Front::bury() {
    for (std::size_t i = 0; i < finished_.size(); ++i) {
        const std::uint32_t index = finished_[i];
        set_deadline(index, 0);
        auto& slot = slots_[index];
        slot.connection.reset();
        ++slot.generation;
        if (!slot.address.empty())
            if (const auto found = per_address_.find(slot.address); found != per_address_.end() && --found->second == 0)
                per_address_.erase(found);
        slot.address = {};
        free_slots_.push_back(index);
        --connections_;
    }
    finished_.clear();
}

bool Front::admit(const net::Endpoint& peer, std::string& address) const {
    if (connections_ >= limits_.connections) return false;
    if (peer.ip.empty() || peer.is_loopback() || limits_.trusted.contains(peer.ip)) return true;
    address = net::household(peer.ip);
    const auto found = per_address_.find(address);
    return found == per_address_.end() || found->second < limits_.per_address;
}

void Front::accept_from(std::size_t listener) {
    for (int i = 0; i < 64; ++i) {  // then those inside get their turn
        sockaddr_storage storage{};
        socklen_t length = sizeof storage;
        os::Fd fd(::accept4(listeners_[listener].fd.get(), reinterpret_cast<sockaddr*>(&storage), &length,
                            SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                log::Event("front.cannot_accept", log::Level::Error).field("error", std::strerror(errno));
                accept_again_at_ = monotonic_ms() + kAcceptPause;
                for (auto& l : listeners_) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, l.fd.get(), nullptr);
            }
            return;
        }
        auto peer = net::endpoint_of(storage, length);
        const bool tls_first = listeners_[listener].name == "imaps";
        const auto protocol = listeners_[listener].name == "sieve" ? Protocol::ManageSieve : Protocol::Imap;
        std::string address;
        if (!admit(peer, address)) {
            log::Event("front.refused", log::Level::Warning).field("peer", peer.ip).field("connections", connections_);
            const std::string_view full = protocol == Protocol::Imap ? "* BYE [UNAVAILABLE] too many connections\r\n"
                                                                     : "BYE (TRYLATER) \"too many connections\"\r\n";
            if (!tls_first) (void)!::send(fd.get(), full.data(), full.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            continue;
        }
        const int on = 1;
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, &kKeepaliveSeconds, sizeof kKeepaliveSeconds);
        std::uint32_t index = 0;
        if (free_slots_.empty()) {
            index = static_cast<std::uint32_t>(slots_.size());
            slots_.emplace_back();
        } else {
            index = free_slots_.back();
            free_slots_.pop_back();
        }
        if (!address.empty()) ++per_address_[address];
        slots_[index].address = std::move(address);
        ++connections_;
        slots_[index].connection =
            std::make_unique<Connection>(*this, index, std::move(fd), std::move(peer), protocol, tls_first);
        slots_[index].connection->start();
    }
}

void Front::dispatch(std::uint64_t which, std::uint32_t events) {
    const auto index = static_cast<std::uint32_t>(which);
    const std::uint64_t side = which >> 32 & 3;
    if (side == kListenerSide) {
        if (index == kControl) return read_control();
        if (!draining_ && index < listeners_.size()) accept_from(index);
        return;
    }
    // An event for a connection that ended earlier in the same batch.
    if (index >= slots_.size() || !slots_[index].connection || which != token(index, side, slots_[index].generation))
        return;
    if (std::find(finished_.begin(), finished_.end(), index) != finished_.end()) return;
    slots_[index].connection->on_event(static_cast<Side>(side), events);
}

void Front::expire() {
    const Milliseconds now = monotonic_ms();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const std::uint32_t slot = deadlines_.begin()->second;
        set_deadline(slot, 0);
        slots_[slot].connection->on_deadline();
    }
    if (accept_again_at_ != 0 && now >= accept_again_at_ && !draining_) {
        accept_again_at_ = 0;
        for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
            epoll_event event{};
            event.events = EPOLLIN;
            event.data.u64 = token(i, kListenerSide, 0);
            ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listeners_[i].fd.get(), &event);
        }
    }
    if (trim_at_ != 0 && now >= trim_at_) {
        trim_at_ = 0;
        ::malloc_trim(0);
    }
    for (Milliseconds at = next_taken_back(); at != 0 && at <= now; at = next_taken_back()) {
        const std::uint32_t slot = thinking_.front().second;
        log::Event("front.exchange_taken_back", log::Level::Warning)
            .field("exchanges", exchanges_)
            .field("waiting", waiting_for_auth_.size());
        slots_[slot].connection->lose_exchange();
    }
    while (!waiting_for_auth_.empty() && exchanges_ < limits_.auth_exchanges) {
        const std::uint32_t slot = waiting_for_auth_.front();
        waiting_for_auth_.pop_front();
        ++exchanges_;
        slots_[slot].connection->start_exchange();
    }
}

void Front::reload() {
    os::notify_reloading();
    auto config = config::Config::load(config_.paths());
    Status status = ok();
    if (config) {
        auto identities =
            tls::find_identities(config->string("tls.certificate"), config->string("tls.key"), config->paths().keys);
        status = identities ? tls_->reload({std::move(*identities)}) : Status(fail(identities.error()));
    } else {
        status = fail(config.error());
    }
    if (status) {
        config_ = std::move(*config);
        limits_ = Limits::from(config_);
        hostname_ = hostname_of(config_);
        log::Event("daemon.reloaded");
    } else {
        log::Event("daemon.reload_failed", log::Level::Error).field("error", status.error().text);
    }
    os::notify_ready();
}

void Front::begin_drain() {
    if (draining_) return;
    draining_ = true;
    os::notify_stopping();
    log::Event("front.draining").field("connections", connections_);
    drain_until_ = monotonic_ms() + limits_.drain;
    for (auto& listener : listeners_) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener.fd.get(), nullptr);
    listeners_.clear();
    for (auto& slot : slots_)
        if (slot.connection) slot.connection->drain();
}

int Front::wait_ms(Milliseconds next_watchdog) const {
    if (!waiting_for_auth_.empty() && exchanges_ < limits_.auth_exchanges) return 0;
    Milliseconds next = next_watchdog;
    auto sooner = [&](Milliseconds at) {
        if (at != 0 && (next == 0 || at < next)) next = at;
    };
    if (!deadlines_.empty()) sooner(deadlines_.begin()->first);
    sooner(accept_again_at_);
    sooner(next_taken_back());
    sooner(drain_until_);
    sooner(trim_at_);
    if (next == 0) return -1;
    return static_cast<int>(std::clamp<Milliseconds>(next - monotonic_ms(), 0, 60'000));
}

Status Front::run(os::Signals& signals) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = token(kSignals, kListenerSide, 0);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signals.fd(), &event) != 0) return fail_errno("cannot watch signals");
    const Milliseconds watchdog = os::watchdog_interval_ms();
    Milliseconds next_watchdog = watchdog > 0 ? monotonic_ms() + watchdog : 0;
    epoll_event events[256];
    while (!draining_ || (connections_ > 0 && monotonic_ms() < drain_until_)) {
        const int count = ::epoll_wait(epoll_.get(), events, 256, wait_ms(next_watchdog));
        if (count < 0 && errno != EINTR) return fail_errno("cannot wait for events");
        for (int i = 0; i < count; ++i) {
            if (events[i].data.u64 != token(kSignals, kListenerSide, 0)) {
                dispatch(events[i].data.u64, events[i].events);
                continue;
            }
            switch (signals.next()) {
                case os::Signals::Kind::Stop: begin_drain(); break;
                case os::Signals::Kind::Reload: reload(); break;
                default: break;
            }
        }
        bury();
        expire();
        bury();
        if (next_watchdog != 0 && monotonic_ms() >= next_watchdog) {
            next_watchdog = monotonic_ms() + watchdog;
            os::notify_watchdog();
            os::notify_status(fmt::format("{} connections, {} of them logged in", connections_, sessions_));
        }
    }
    return ok();
}

}  // namespace gk::front
