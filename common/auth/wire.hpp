// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/result.hpp"

// The lines spoken on the auth socket, as pure text: an LF-ended line is a verb and key=value fields, parted by
// TAB; values are percent-encoded; bytes travel as base64. One exchange at a time on a connection.
//   C: BEGIN service= mech= ip= tls=0|1 [cb-tls-exporter=] [cb-tls-server-end-point=] [resp=]
//   S: CONTINUE data=        C: CONTINUE data=   or   CANCEL (answered by FAIL code=auth)
//   S: OK user= [ticket=] [data=]   or   FAIL code= text=     (for smtp, which redeems none, there is no ticket)
//   after REDEEM also: [quota-octets=] [quota-messages=], where the account has a quota
//   C: REDEEM ticket= service=    C: SENDER user= address=    C: PING
//   C: COUNT user= messages= recipients=   (answered by FAIL code=limit where that would be too many)
namespace gk::auth {

constexpr std::size_t kMaxLine = 128 * 1024;  // a 64 KB SASL response in base64, and room

struct Begin {
    std::string service;    // smtp, imap, managesieve
    std::string mechanism;  // PLAIN, LOGIN, SCRAM-SHA-256, SCRAM-SHA-256-PLUS
    std::string ip;         // the client's address, for back-off and events
    bool tls = false;
    std::string cb_tls_exporter;                  // channel binding bytes (RFC 9266); empty where there are none
    std::string cb_tls_server_end_point;          // RFC 5929, 4
    std::optional<std::string> initial_response;  // decoded bytes; may be empty, which is not the same as absent
};
struct Continue {
    std::string bytes;
};
struct Cancel {};
struct Redeem {
    std::string ticket, service;
};
struct Sender {
    std::string user, address;
};
// USER is about to submit so much more.
struct Count {
    std::string user;
    std::uint64_t messages = 0, recipients = 0;
};
struct Ping {};
using Request = std::variant<Begin, Continue, Cancel, Redeem, Sender, Count, Ping>;

enum class FailCode { Auth, Temp, Locked, Disabled, Expired, Malformed, Denied, Limit };
std::string_view fail_code_name(FailCode code) noexcept;

struct Reply {
    enum class Kind { Continue, Ok, Fail };
    Kind kind = Kind::Fail;
    std::optional<std::string> bytes;  // Continue: the challenge; Ok: the SCRAM server-final message, not sent yet
    std::string user;                  // Ok: the canonical account
    std::string ticket;                // Ok after BEGIN: may be redeemed once, for the service it was issued for
    std::uint64_t quota_octets = 0, quota_messages = 0;  // Ok after REDEEM: what the account may keep; 0: no limit
    FailCode code = FailCode::Auth;
    std::string text;  // Fail: for logs, and fit to be shown to the client
};

// Lines are with their LF on the way out and without it on the way in.
std::string format_request(const Request& request);
Result<Request> parse_request(std::string_view line);
std::string format_reply(const Reply& reply);
Result<Reply> parse_reply(std::string_view line);

}  // namespace gk::auth
