// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

namespace gk::queue {

// NOTIFY of RFC 3461, 4.1, as a set of bits. Unset (0) means the sender said nothing: failures and, as most
// MTAs do, one warning of delay.
enum Notify : unsigned { kNotifyUnset = 0, kNotifyNever = 1, kNotifySuccess = 2, kNotifyFailure = 4, kNotifyDelay = 8 };

enum class Ret { Unset, Full, Headers };                 // RFC 3461, 4.3
enum class Body { SevenBit, EightBitMime, BinaryMime };  // RFC 6152, RFC 3030

// The words behind gk-deliver's 250 that tell what an alias did; see local_fate.
inline constexpr std::string_view kForwarded = "forwarded", kExpanded = "expanded";

struct Recipient {
    std::string address;  // "ann@a.test": as in RCPT TO, without <>; never empty
    std::string orcpt;    // as in ORCPT=, still xtext: "rfc822;ann@a.test"; empty where not given
    unsigned notify = kNotifyUnset;
    // A reply with which this recipient has failed for good already ("552 5.2.2 mailbox full"): gk-queue tries
    // nothing and sends the DSN. Empty: still to be delivered.
    std::string failed = {};
    // A reply with which this recipient's mailbox has the message already, where the sender asked to be told
    // (NOTIFY=SUCCESS): gk-queue sends the DSN only.
    std::string delivered = {};
};

// What is known of a message besides its bytes. Written once, before the bytes; never changed.
struct Envelope {
    std::string id;            // queue id and file name; empty: a fresh one is made (new_id)
    std::string trace_id;      // field `id` of all events of this message; empty: the queue id
    std::string reverse_path;  // without <>; empty is the null reverse-path
    std::string account;       // the authenticated account, or empty
    std::string envid;         // ENVID=, still xtext
    Ret ret = Ret::Unset;
    Body body = Body::SevenBit;
    bool smtputf8 = false;
    bool require_tls = false;           // REQUIRETLS (RFC 8689)
    bool is_dsn = false;                // composed by gk-queue itself
    std::string about;                  // of a DSN: the queue id of the message that it is about
    bool is_own = false;                // composed by another program of gk (a report): signed as ours
    TimePoint arrival{};                // unset: now
    TimePoint hold_until{};             // not to be tried before; unset: at once
    std::vector<Recipient> recipients;  // at least one
};

// The envelope as lines "key=value" with TAB between the fields of a line, values percent-encoded; an unknown
// key is skipped, so that an older gk reads what a newer wrote.
std::string format_envelope(const Envelope& envelope);
Result<Envelope> parse_envelope(std::string_view lines);

// "SUCCESS,FAILURE" and back (RFC 3461, 4.1); nothing for the empty set.
std::string format_notify(unsigned notify);
Result<unsigned> parse_notify(std::string_view s);

// True for the characters an id may have: letters and digits, 1 to 64 of them. Ids become file names.
bool is_queue_id(std::string_view id) noexcept;

}  // namespace gk::queue
