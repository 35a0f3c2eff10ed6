// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace gk::message {

// RFC 5256, 2.1: what is left of a subject without "Re:", "[list]", "(fwd)" and the like.
struct BaseSubject {
    std::string text;       // UTF-8, its case folded, so that equal means equal; may be empty
    bool is_reply = false;  // something was taken away that says that it answers or forwards
};
// VALUE is a Subject field, folded or not, with encoded words.
BaseSubject base_subject(std::string_view value);

}  // namespace gk::message
