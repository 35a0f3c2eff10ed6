// SPDX-License-Identifier: MIT
#include "common/net/server.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <list>
#include <mutex>
#include <unordered_map>

#include "common/net/proxy.hpp"

namespace gk::net {
namespace {

constexpr int kWakeSignal = SIGUSR2;  // interrupts accept and recv; the handler does nothing
constexpr milliseconds kProxyTimeout{5000};
constexpr milliseconds kForcedGrace{1000};

void wake_handler(int) {}

std::int64_t steady_ms() {
    return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void install_wake_handler() {
    struct sigaction action {};
    action.sa_handler = wake_handler;  // without SA_RESTART: the call ends with EINTR
    ::sigaction(kWakeSignal, &action, nullptr);
}

}  // namespace

struct Server::Impl {
    struct Worker {
        pthread_t thread;
        std::size_t listener = 0;
        int fd = -1;          // of the connection being served; under mutex
        bool waiting = true;  // in accept
        Seat seat;
    };

    std::vector<Listener> listeners;
    ServerOptions options;
    Handler handler;
    Refuser refuser;
    std::atomic<bool> stopping{false};
    std::atomic<std::size_t> active{0}, max_connections, max_per_address;
    std::mutex mutex;
    std::condition_variable done;
    std::list<Worker> workers;
    std::vector<std::size_t> waiting;  // threads in accept, per listener
    std::unordered_map<std::string, std::size_t> per_address;
    bool started = false;

    struct Start {
        Impl* impl;
        std::list<Worker>::iterator worker;
    };

    Status spawn(std::size_t listener);  // mutex held
    static void* run(void* argument);
    void loop(std::list<Worker>::iterator worker);
    void serve(std::list<Worker>::iterator worker, Accepted accepted);
    void make_room();
    bool under_pressure() const { return active * 5 > max_connections * 4; }
    bool exempt(const Endpoint& peer) const {
        return peer.ip.empty() || peer.is_loopback() || options.trusted.contains(peer.ip);
    }
};

Status Server::Impl::spawn(std::size_t listener) {
    workers.emplace_front();
    const auto worker = workers.begin();
    worker->listener = listener;
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, options.stack_bytes);
    ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    auto start = std::make_unique<Start>(Start{this, worker});
    const int error = ::pthread_create(&worker->thread, &attributes, run, start.get());
    ::pthread_attr_destroy(&attributes);
    if (error != 0) {
        workers.erase(worker);
        return fail(os_error(error, "cannot start a thread"));
    }
    (void)start.release();
    ++waiting[listener];
    return ok();
}

void* Server::Impl::run(void* argument) {
    const std::unique_ptr<Start> start(static_cast<Start*>(argument));
    // The signals of the daemon are for its main thread; the wake-up is for us.
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, kWakeSignal);
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    start->impl->loop(start->worker);
    return nullptr;
}

void Server::Impl::loop(std::list<Worker>::iterator worker) {
    const Listener& listener = listeners[worker->listener];
    auto& idle = waiting[worker->listener];
    for (;;) {
        sockaddr_storage storage{};
        socklen_t length = sizeof storage;
        int fd = -1;
        int error = 0;
        if (!stopping) {
            fd = ::accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&storage), &length, SOCK_CLOEXEC);
            error = errno;
        }
        Accepted accepted;
        if (fd >= 0) {
            accepted.stream = std::make_unique<SocketStream>(os::Fd(fd), options.io_timeout);
            accepted.peer = endpoint_of(storage, length);
            accepted.listener = &listener;
        }
        std::unique_lock lock(mutex);
        if (stopping) {
            --idle;
            workers.erase(worker);
            done.notify_all();
            return;
        }
        if (fd < 0) {
            // Out of descriptors or memory, or not permitted: it would fail again at once. The others mean that the
            // client is gone, that nobody came, or that we were woken.
            const bool passing = error == EINTR || error == EAGAIN || error == ECONNABORTED || error == EPROTO;
            if (!passing) done.wait_for(lock, std::chrono::milliseconds(100));
            continue;
        }
        worker->waiting = false;
        worker->fd = fd;
        // Another must wait before this one gets busy; if the system has no thread left, we simply come back.
        if (--idle == 0) (void)spawn(worker->listener);
        lock.unlock();
        serve(worker, std::move(accepted));
        lock.lock();
        worker->fd = -1;
        if (!stopping && idle >= options.max_idle_threads) {
            workers.erase(worker);
            done.notify_all();
            return;
        }
        worker->waiting = true;
        ++idle;
    }
}

void Server::Impl::serve(std::list<Worker>::iterator worker, Accepted accepted) {
    if (accepted.listener->proxy_protocol) {
        if (!accepted.peer.ip.empty() && !options.proxies.contains(accepted.peer.ip)) {
            std::lock_guard lock(mutex);
            worker->fd = -1;
            return;
        }
        auto header = read_proxy_v2(*accepted.stream, kProxyTimeout);
        if (!header) {
            std::lock_guard lock(mutex);
            worker->fd = -1;
            return;
        }
        if (!header->local) accepted.peer = std::move(header->source);
    }
    const bool counted = !exempt(accepted.peer);
    const std::string ip = counted ? household(accepted.peer.ip) : std::string();
    accepted.seat = &worker->seat;
    worker->seat.leave = false;
    worker->seat.touch();
    // Our own programs and the administrator get in where the world has taken every place.
    const std::size_t most = counted ? max_connections.load() : max_connections + max_connections / 4;
    const bool too_many = active.fetch_add(1) >= most;
    if (under_pressure()) make_room();
    bool too_many_from = false;
    if (counted) {
        std::lock_guard lock(mutex);
        too_many_from = ++per_address[ip] > max_per_address;
    }
    // The handler closes the stream by returning. Between that and the line below, a forced stop() could shut down a
    // newer connection under the same number: it is about to do so anyway.
    if (too_many || too_many_from)
        refuser(std::move(accepted), too_many ? Refusal::TooManyConnections : Refusal::TooManyFromAddress);
    else handler(std::move(accepted));
    {
        std::lock_guard lock(mutex);
        worker->fd = -1;
    }
    active.fetch_sub(1);
    if (counted) {
        std::lock_guard lock(mutex);
        if (--per_address[ip] == 0) per_address.erase(ip);
    }
}

// Asks the client that did nothing for the longest time to leave. If it is not in a read at this moment it sees the
// flag before its next one.
void Server::Impl::make_room() {
    if (options.pressure_timeout.count() == 0) return;
    std::lock_guard lock(mutex);
    const std::int64_t before = steady_ms() - options.pressure_timeout.count();
    Worker* idlest = nullptr;
    for (auto& worker : workers) {
        // Who was asked already and has a message under way leaves when it can: ask another, or a few such clients
        // would keep the places of all.
        if (worker.fd < 0 || worker.seat.leave || worker.seat.active_ms > before) continue;
        if (idlest == nullptr || worker.seat.active_ms < idlest->seat.active_ms) idlest = &worker;
    }
    if (idlest == nullptr) return;
    idlest->seat.leave = true;
    ::pthread_kill(idlest->thread, kWakeSignal);
}

void Seat::touch() noexcept { active_ms = steady_ms(); }

Server::Server(std::vector<Listener> listeners, ServerOptions options, Handler handler, Refuser refuser)
    : impl_(std::make_unique<Impl>()) {
    impl_->listeners = std::move(listeners);
    impl_->max_connections = options.max_connections;
    impl_->max_per_address = options.max_per_address;
    impl_->options = std::move(options);
    impl_->handler = std::move(handler);
    impl_->refuser = std::move(refuser);
    impl_->waiting.resize(impl_->listeners.size());
}

Server::~Server() {
    while (!stop(milliseconds(0))) {}
}

Status Server::start() {
    install_wake_handler();
    for (const auto& listener : impl_->listeners) {
        const int fd = listener.fd.get();
        // Accepted sockets inherit these from the listener: no system call a connection.
        timeval tv{};
        tv.tv_sec = impl_->options.io_timeout.count() / 1000;
        tv.tv_usec = impl_->options.io_timeout.count() % 1000 * 1000;
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
        const int yes = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);  // fails on UNIX sockets, where it means nothing
        const int flags = ::fcntl(fd, F_GETFL);
        if (flags >= 0 && (flags & O_NONBLOCK) != 0) ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    }
    std::lock_guard lock(impl_->mutex);
    for (std::size_t i = 0; i < impl_->listeners.size(); ++i) GK_CHECK(impl_->spawn(i));
    impl_->started = true;
    return ok();
}

bool Server::stop(milliseconds drain) {
    std::unique_lock lock(impl_->mutex);
    impl_->stopping = true;
    const auto deadline = std::chrono::steady_clock::now() + drain;
    bool forced = false;
    while (!impl_->workers.empty()) {
        // Again and again: a thread may have looked at the flag just before, and enter its call just after the signal.
        for (auto& worker : impl_->workers) {
            worker.seat.leave = true;
            ::pthread_kill(worker.thread, kWakeSignal);
        }
        if (!forced && std::chrono::steady_clock::now() >= deadline) {
            for (const auto& worker : impl_->workers)
                if (worker.fd >= 0) ::shutdown(worker.fd, SHUT_RDWR);
            forced = true;
        }
        if (forced && std::chrono::steady_clock::now() >= deadline + kForcedGrace) return false;
        impl_->done.wait_for(lock, std::chrono::milliseconds(20));
    }
    return true;
}

bool Server::stopping() const noexcept { return impl_->stopping; }
const std::atomic<bool>& Server::stop_flag() const noexcept { return impl_->stopping; }
std::size_t Server::active() const noexcept { return impl_->active; }
bool Server::under_pressure() const noexcept { return impl_->under_pressure(); }

void Server::set_limits(std::size_t max_connections, std::size_t max_per_address) noexcept {
    impl_->max_connections = max_connections;
    impl_->max_per_address = max_per_address;
}

}  // namespace gk::net
