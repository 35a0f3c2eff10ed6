// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace gk::smtp {

// "550 5.1.1 no such user" (RFC 5321, 4.2; RFC 2034).
struct Reply {
    int code = 250;
    std::string enhanced;  // empty for the replies that have none (greeting, EHLO, 354, 334)
    std::string text;      // one line; LF parts several

    bool positive() const noexcept { return code < 400; }
    bool transient() const noexcept { return code >= 400 && code < 500; }
    std::string format() const;  // with CRLF; "250-" continuation where the text has several lines
};

}  // namespace gk::smtp
