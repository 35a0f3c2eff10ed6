// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "common/dkim_client/client.hpp"
#include "common/mailauth/dkim/canonical.hpp"
#include "common/queue/envelope.hpp"
#include "common/smtp_client/session.hpp"

// DKIM signatures on what leaves the host. The keys are gk-dkim's: it is asked to sign hashes.
namespace gk::queue {

struct SigningSettings {
    bool sign = false;
    bool required = true;  // while gk-dkim cannot be asked mail waits; else it goes out unsigned
    std::string socket;
    std::chrono::milliseconds timeout{10'000};
    std::chrono::seconds expires{0};  // 0: no x=
    mailauth::Canon header_canon = mailauth::Canon::Relaxed, body_canon = mailauth::Canon::Relaxed;
};

// Only what an account of ours handed in, or we wrote ourselves; never what we pass on for others.
bool is_ours_to_sign(const Envelope& envelope) noexcept;

// The domain of the author, in A-labels. BadInput where it cannot be told for sure, and so nothing may be signed: there
// is no From field or more than one, or it names no address or addresses of several domains.
Result<std::string> author_domain(std::string_view header);

struct Signatures {
    std::string fields;  // to be put in front of the message; empty: it goes out as it is
    std::string domain;
    std::string why_not;  // for people, where nothing was signed
};
// By every active key of the author's domain or the nearest one above it. Reads the message once, in pieces, and only
// where there is a key. Temporary: gk-dkim could not be asked, or the disk not read.
Result<Signatures> sign_message(const smtp_client::Source& message, const SigningSettings& settings,
                                dkim_client::ClientPool& pool, TimePoint when);

// The begin of a message up to the end of its header at least, at most one piece more.
Result<std::string> read_header(const smtp_client::Source& message);
// All of a message in pieces, of which BEGIN was read already. False where it has a bare CR or LF: what the next server
// makes of these is not known, so neither is what a verifier will hash.
Result<bool> read_pieces(const smtp_client::Source& message, std::string begin,
                         const std::function<void(std::string_view)>& each);

}  // namespace gk::queue
