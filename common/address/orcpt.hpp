// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

// Addresses as DSN parameters and reports write them: xtext (RFC 3461, 4), and the 7-bit form of internationalized ones
// (RFC 6533, 3).
namespace gk::address {

std::string encode_xtext(std::string_view bytes);
// What is no escape stays as it is.
std::string decode_xtext(std::string_view xtext);

// utf-8-addr-xtext, "j\x{FC}rgen@b.test", and back; what is no escape stays as it is.
std::string encode_utf8_address(std::string_view address);
std::string decode_utf8_address(std::string_view encoded);

// An ORCPT that its sender did not give: "rfc822;ann@a.test", or type utf-8 in 7 bits.
std::string make_orcpt(std::string_view address);
// The same ORCPT in 7 bits.
std::string orcpt_in_ascii(std::string_view orcpt);

struct OriginalRecipient {
    std::string type, address;  // "rfc822" or "utf-8", mostly, in lower case; decoded: any bytes
};
// Both empty where ORCPT is none.
OriginalRecipient parse_orcpt(std::string_view orcpt);

}  // namespace gk::address
