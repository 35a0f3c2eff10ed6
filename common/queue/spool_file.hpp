// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/fd.hpp"
#include "common/queue/envelope.hpp"

// The file of one queued message:
//
//   GKSPOOL 1 <envelope length, 10 digits> <envelope crc, 8 hex> <message length, 20 digits> <message crc, 8 hex> LF
//   envelope lines (envelope.hpp)
//   message bytes, exact
//   LF, then outcome lines, each: <crc of the rest, 8 hex> TAB kind TAB key=value … LF
//
// The head and the bytes never change after commit. Outcomes are only appended; a torn last line (power loss)
// does not match its crc and is skipped, as are lines of kinds not known. Redirect adds a recipient behind those of
// the envelope, with the next free index; the envelope of an open file has them all.
namespace gk::queue {

constexpr std::size_t kHeadLength = 60;  // the first line

enum class OutcomeKind {
    Attempt,    // a session was tried; text: what came of it, for `show`
    Delivered,  // recipient done: peer accepted (text: reply)
    Relayed,    // as Delivered, by a peer without DSN, success notice was asked for
    Deferred,   // until: next try
    Failed,     // for good; text: reply or reason
    Notified,   // the DSN about this recipient's failure or success is durable
    Warned,     // the one warning of delay is durable
    Hold,       // by command; recipient < 0
    Release,
    Retry,     // by command: due now
    Schedule,  // by command: not to be tried before until
    Redirect,  // by command; text: who gets it in place of the recipient, who is told nothing
    Reroute,   // by command; recipient < 0; text: the route that the message takes, or "mx": as the settings say
};

struct Outcome {
    OutcomeKind kind{};
    int recipient = -1;  // index into Envelope::recipients; -1: all of the message
    TimePoint at{};
    TimePoint until{};   // Deferred, Schedule
    std::string text;    // "250 2.0.0 Ok: queued as …", "connection to … refused"
    std::string status;  // enhanced status code, "4.4.1"
    std::string peer;    // "mx.b.test [192.0.2.1]:25"
    std::string tls;     // "TLSv1.3 TLS_AES_256_GCM_SHA384", empty for plain text
};

struct Head {
    std::uint64_t envelope_length = 0, message_length = 0;
    std::uint32_t envelope_crc = 0, message_crc = 0;
};
std::string format_head(const Head& head);
Result<Head> parse_head(std::string_view first_line);

std::string format_outcome(const Outcome& outcome);          // with its LF
std::vector<Outcome> parse_outcomes(std::string_view tail);  // bad lines skipped
std::string_view outcome_name(OutcomeKind kind) noexcept;
// Adds the recipient that a Redirect among OUTCOMES names, once each, to ENVELOPE. It inherits ORCPT and NOTIFY.
void add_redirected(Envelope& envelope, std::span<const Outcome> outcomes);

// CRC-32 (IEEE 802.3), continued from CRC.
std::uint32_t crc32(std::uint32_t crc, std::string_view bytes) noexcept;

// One spool file, open for reading and for appending outcomes. One thread at a time.
class SpoolFile {
public:
    // Checks head and envelope; BadInput for a file that is torn or not ours, NotFound when it is gone.
    static Result<SpoolFile> open(const std::string& path);

    const Envelope& envelope() const noexcept { return envelope_; }
    const std::vector<Outcome>& outcomes() const noexcept { return outcomes_; }
    // The file has another name now, which is its id too.
    void moved_to(std::string path);
    std::uint64_t message_size() const noexcept { return head_.message_length; }
    std::uint64_t message_offset() const noexcept { return kHeadLength + head_.envelope_length; }  // in the file

    // Up to COUNT message bytes from OFFSET on; empty at the end.
    Result<std::string> read_message(std::uint64_t offset, std::size_t count) const;
    // The message bytes agree with their checksum. Reads all of them.
    Status verify() const;
    // Appends and, unless told otherwise, waits until they are on disk (fdatasync).
    Status append(std::span<const Outcome> outcomes, bool sync = true);

private:
    os::Fd fd_;
    Head head_;
    Envelope envelope_;
    std::vector<Outcome> outcomes_;
    std::string path_;
    std::string begin_;  // of the message, as far as the first read had it
    bool torn_tail_ = false;
};

}  // namespace gk::queue
