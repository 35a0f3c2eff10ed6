// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/address/path.hpp"
#include "common/base/result.hpp"

// Addresses that scripts write, and the method mailto: of notify (RFC 5436; RFC 6068).
namespace gk::sieve {

struct Mailto {
    std::vector<std::string> to, cc, bcc;
    std::string subject, body;
    std::vector<std::pair<std::string, std::string>> fields;  // of those that RFC 5436, 2.6 permits
};
// Nothing, with a sentence in ERROR, where METHOD is of another kind or wrong.
std::optional<Mailto> parse_mailto(std::string_view method, std::string& error);

// What redirect takes: "ann@a.test", or "<ann@a.test>", or with a display name (RFC 5228, 2.4.2.3).
Result<address::Address> parse_recipient(std::string_view text);
// One mailbox of a header field, with a display name or without.
bool is_single_mailbox(std::string_view text);

}  // namespace gk::sieve
