// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/queue/signing.hpp"

// ARC seals on what we pass on (RFC 8617, 5.1): mail that came from outside and leaves through an alias.
namespace gk::queue {

struct SealingSettings {
    bool seal = true;
    std::string domain;            // that seals; empty: that of the alias
    std::vector<std::string> ids;  // authserv-ids of ours: whose Authentication-Results are recorded
};

// Neither an account of ours sent it nor did we.
bool is_passed_on(const Envelope& envelope) noexcept;

// A new set of ARC fields by an active key of the domain or the nearest one above it, where gk-smtpd wrote down what it
// found of the message. WHY_NOT otherwise: a seal is never worth waiting for, so nothing here is an error of delivery
// but a disk that cannot be read.
Result<Signatures> seal_message(const smtp_client::Source& message, const SealingSettings& settings,
                                dkim_client::ClientPool& pool, TimePoint when);

}  // namespace gk::queue
