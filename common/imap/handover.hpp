// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

// The line with which gk-frontd hands a connection to gk-imapd, and its answer. Pure text: fields parted by TAB, as
// key=value, values percent-encoded.
//   front:  SESSION ticket=… ip=… port=… tls=0|1 id=… tag=A1 [cap=1] [front=… at=…]   then raw bytes of the client
//   imapd:  OK   then the IMAP session   |   FAIL code=auth|temp text=…
namespace gk::imap {

constexpr std::size_t kMaxHandoverLine = 16 * 1024;

struct Handover {
    std::string ticket;  // of gk-authd, for service imap
    std::string ip;      // the client's
    std::uint16_t port = 0;
    bool tls = false;
    std::string session_id;          // in every event about this connection
    std::string tag;                 // of the login command, which the session answers
    bool with_capabilities = false;  // in that answer
    std::string front = {};          // who carries it and calls it AT, for when it sleeps (control.hpp); may be empty
    std::uint64_t at = 0;
};
struct HandoverAnswer {
    bool accepted = false;
    std::string code, text;  // where not accepted; code is "auth" or "temp"
};

// With their LF on the way out, without it on the way in.
std::string format_handover(const Handover& handover);
Result<Handover> parse_handover(std::string_view line);
std::string format_handover_answer(const HandoverAnswer& answer);
Result<HandoverAnswer> parse_handover_answer(std::string_view line);

}  // namespace gk::imap
