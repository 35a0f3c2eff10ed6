// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/queue/envelope.hpp"
#include "common/queue/spool_file.hpp"

namespace gk::queue {

struct RecipientState {
    enum class Kind { Waiting, Delivered, Failed, Redirected };
    Kind kind = Kind::Waiting;
    unsigned attempts = 0;           // that ended with a deferral
    TimePoint next{};                // Waiting: due from then on
    TimePoint last{};                // of the last attempt
    std::string text, status, peer;  // of the last attempt
    bool owes_notice = false;        // a DSN (failure or success) is due and not yet durable
};

// What the outcomes in a spool file add up to. A value: the file is the truth, this is how to read it.
struct MessageState {
    std::vector<RecipientState> recipients;
    bool held = false;
    bool warned = false;  // of delay
    TimePoint begins{};   // nothing is tried before; its age is counted from then (since())
    std::string route;    // by command; empty: as the settings say

    static MessageState of(const Envelope& envelope, std::span<const Outcome> outcomes);
    void apply(const Envelope& envelope, const Outcome& outcome);

    bool finished() const noexcept;  // nothing to deliver and nobody to tell: the file may go
    bool has_waiting() const noexcept;
    // When the next recipient is due; nothing where none waits.
    std::optional<TimePoint> next_due() const noexcept;
    // From when on the message's time in the queue counts: arrival, or the end of a wait that the sender asked for.
    TimePoint since(const Envelope& envelope) const noexcept { return std::max(envelope.arrival, begins); }
    std::string_view summary() const noexcept;  // "held", "scheduled", "deferred", "new", "bouncing", "done"
};

// "5.2.2" in "552 5.2.2 mailbox full", or the general code of the reply's class; "5.0.0" for no reply at all.
std::string status_of_reply(std::string_view reply);
// How the peers of LMTP sessions begin in outcomes: what they took is delivered (RFC 2033, 1), not relayed.
inline constexpr std::string_view kUnixPeer = "unix:", kLmtpPeer = "lmtp:";
inline bool is_final_delivery(std::string_view peer) noexcept {
    return peer.starts_with(kUnixPeer) || peer.starts_with(kLmtpPeer);
}
// What became of a recipient for whom gk-deliver answered 250 with REPLY (RFC 3461, 5.2.7): it is in the mailbox; or an
// alias sent it on to one address, whose server reports in our place; or to several, and its own success is reported.
enum class LocalFate { Delivered, Forwarded, Expanded };
LocalFate local_fate(std::string_view reply) noexcept;
// True where the DSN rules (RFC 3461, 4.1) let the sender be told. Never true for a null reverse-path.
bool wants_failure_notice(const Envelope& envelope, const Recipient& recipient) noexcept;
bool wants_delay_notice(const Envelope& envelope, const Recipient& recipient) noexcept;
bool wants_success_notice(const Envelope& envelope, const Recipient& recipient) noexcept;

}  // namespace gk::queue
