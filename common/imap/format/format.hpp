// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.hpp"
#include "common/message/shown.hpp"

// What FETCH shows of a message, in the exact syntax of RFC 3501 and RFC 9051 (section 9 in both). All functions
// append.
namespace gk::imap {

using message::append_body;
using message::append_envelope;
using message::append_nil;
using message::append_string;
// INTERNALDATE's date-time, quotes included: "17-Jul-1996 02:44:25 -0700" in UTC (+0000).
void append_internal_date(std::string& out, TimePoint t);
// date-time or date of APPEND and SEARCH, without quotes.
std::optional<TimePoint> parse_internal_date(std::string_view s);

}  // namespace gk::imap
