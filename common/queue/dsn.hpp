// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/queue/spool_file.hpp"
#include "common/queue/state.hpp"

// Delivery status notifications: multipart/report (RFC 6522) with message/delivery-status (RFC 3464), and their
// internationalized forms (RFC 6533).
namespace gk::queue {

enum class DsnAction { Failed, Delayed, Delivered, Relayed, Expanded };

struct DsnRecipient {
    std::size_t index = 0;  // into Envelope::recipients
    DsnAction action = DsnAction::Failed;
    TimePoint will_retry_until{};  // Delayed
};

struct DsnSettings {
    std::string hostname;                  // Reporting-MTA
    std::uint64_t full_size = 256 * 1024;  // larger messages come back as headers only
};

// Puts a DSN about RECIPIENTS of FILE to its reverse-path into the spool's dsn/; durable when it returns. Returns its
// queue id, for release_dsn(). The caller has asked wants_…_notice; a null reverse-path is a Bug.
Result<std::string> write_dsn(const std::string& spool_dir, const SpoolFile& file, const MessageState& state,
                              const std::vector<DsnRecipient>& recipients, const DsnSettings& settings);

// The message alone; ORIGINAL is what follows its own fields: the message or its header block.
std::string compose_dsn(const Envelope& envelope, const MessageState& state,
                        const std::vector<DsnRecipient>& recipients, const DsnSettings& settings,
                        std::string_view original, bool original_is_full, const std::string& dsn_id, TimePoint when);

}  // namespace gk::queue
