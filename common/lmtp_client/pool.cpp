// SPDX-License-Identifier: MIT
#include "common/lmtp_client/lmtp_client.hpp"

namespace gk::lmtp_client {

Pool::Pool(std::string socket_path, std::string hostname, milliseconds timeout, std::size_t keep_idle)
    : socket_path_(std::move(socket_path)), hostname_(std::move(hostname)), timeout_(timeout), keep_idle_(keep_idle) {}

Result<std::unique_ptr<Session>> Pool::take() {
    {
        std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            auto session = std::move(idle_.back());
            idle_.pop_back();
            return session;
        }
    }
    return take_new();
}

Result<std::unique_ptr<Session>> Pool::take_new() { return Session::open(socket_path_, hostname_, timeout_); }

void Pool::give(std::unique_ptr<Session> session) {
    session->reset();
    std::unique_lock lock(mutex_);
    if (idle_.size() < keep_idle_) {
        idle_.push_back(std::move(session));
        return;
    }
    lock.unlock();  // the session says good-bye by closing, outside
}

void Pool::clear() {
    std::vector<std::unique_ptr<Session>> sessions;
    std::lock_guard lock(mutex_);
    sessions.swap(idle_);
}

}  // namespace gk::lmtp_client
