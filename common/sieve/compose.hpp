// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/sieve/outcome.hpp"

// The messages that actions send, whole, with CRLF line ends.
namespace gk::sieve {

struct Stamp {
    std::int64_t now_s = 0;       // for Date
    std::string_view message_id;  // with its angle brackets
};

// RFC 5230, 5; RFC 3834, 3: a response that no other responder answers.
std::string compose(const Vacation& vacation, const Stamp& stamp);
// RFC 5436, 2.
std::string compose(const Notify& notify, std::string_view from, const Stamp& stamp);

}  // namespace gk::sieve
