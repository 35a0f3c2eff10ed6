// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/delivery/deliverer.hpp"
#include "common/lmtp/session.hpp"
#include "common/net/server.hpp"

// One LMTP connection served by one thread: the session's bytes carried, its messages delivered, its events written.
namespace gk::lmtp {

struct HostOptions {
    std::string hostname;
    Limits limits;
    std::size_t memory = 256 * 1024;  // of a message, while it is read
    std::string spill_directory;      // for what is larger
    net::milliseconds idle_timeout{600'000};
    static HostOptions from(const config::Config& config, std::string hostname);
};

// What a connection works with; asked for anew with each message, so that a reload reaches open connections.
struct Service {
    std::shared_ptr<delivery::Deliverer> deliverer;
    std::shared_ptr<const HostOptions> options;
};
using CurrentService = std::function<Service()>;

// Returns when the dialogue is over. While STOPPING, a transaction that runs is finished, and nothing else begun.
void serve(net::SocketStream& peer, const CurrentService& current, const std::atomic<bool>& stopping);

// Writes the events of one delivery: message.delivered for each copy, sieve.action,
// sieve.failed, message.spooled, delivery.failed.
void log_outcomes(const delivery::Envelope& envelope, const std::vector<delivery::Recipient>& recipients,
                  const std::vector<delivery::Outcome>& outcomes, std::uint64_t size);

}  // namespace gk::lmtp
