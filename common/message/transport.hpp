// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string_view>

#include "common/base/result.hpp"
#include "common/message/structure.hpp"

// What a message asks of the servers on its way, and how it is rewritten for one that cannot do that: 8BITMIME (RFC
// 6152) and BINARYMIME (RFC 3030). The content that a reader decodes stays the same, octet by octet.
namespace gk::message {

struct Demands {
    bool eight_bit = false;    // octets above 127 behind the message's own header
    bool binary = false;       // NUL, a CR or LF that stands alone, or a line longer than SMTP permits, there
    bool utf8_header = false;  // octets above 127 in a header, a part's too; those in message/global do not count
};
// MESSAGE in wire form. Reads it once.
Demands demands_of(std::string_view message, const Limits& limits = {});

enum class Transport : unsigned char { SevenBit, EightBit };

// MESSAGE for a server that takes no more than TRANSPORT, in pieces to SINK: parts that need it become quoted-printable
// or base64, those of messages within messages too, and the labels of what holds them follow. Memory grows with the
// number of parts alone, up to LIMITS. BadInput, perhaps after some output, where RFC 1847, 2.1 (multipart/signed and
// encrypted), RFC 2046, 5.2 (message/partial) or a header of 8 bits forbid it; SINK's errors else.
Status convert(std::string_view message, Transport transport, const std::function<Status(std::string_view)>& sink,
               const Limits& limits = {});

}  // namespace gk::message
