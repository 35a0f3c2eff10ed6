// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.hpp"
#include "common/mailauth/dkim/crypto.hpp"

// The lines spoken on the dkim socket, as pure text: an LF-ended line is a verb and key=value fields, parted by TAB;
// values are percent-encoded, octets are base64. No key is ever in them. One question at a time on a connection.
//   C: KEYS domain=                      S: OK [keys=SELECTOR:ALGORITHM,…]
//   C: SIGN domain= selector= digest=    S: OK signature=
//   C: PING                              S: OK
//   any of them                          S: FAIL code=no-key|temp|malformed text=
namespace gk::dkim_client {

constexpr std::size_t kMaxLine = 8192;  // a 4096-bit signature in base64 and percent-encoded, and room
constexpr std::size_t kDigestOctets = 32;

struct Keys {
    std::string domain;  // in A-labels
};
struct Sign {
    std::string domain, selector;
    std::string digest;  // 32 octets
};
struct Ping {};
using Request = std::variant<Keys, Sign, Ping>;

struct ActiveKey {
    std::string selector;
    mailauth::Algorithm algorithm = mailauth::Algorithm::RsaSha256;
};

enum class FailCode { NoKey, Temp, Malformed };
std::string_view fail_code_name(FailCode code) noexcept;

struct Reply {
    bool ok = false;
    std::vector<ActiveKey> keys;
    std::string signature;  // octets
    FailCode code = FailCode::Temp;
    std::string text;  // of a FAIL: for people
};

// Lines are with their LF on the way out and without it on the way in.
std::string format_request(const Request& request);
Result<Request> parse_request(std::string_view line);
std::string format_reply(const Reply& reply);
Result<Reply> parse_reply(std::string_view line);

}  // namespace gk::dkim_client
