// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace gk::message {

// What SORT and THREAD compare of a Subject (RFC 5256, 2.1).
struct BaseSubject {
    std::string text;    // UTF-8
    bool reply = false;  // a "Re:", "Fwd:", "(fwd)" or "[Fwd: …]" was taken away: a reply or a forward
};

// RAW is the field's value as stored. Time is linear in its length.
BaseSubject base_subject(std::string_view raw);

}  // namespace gk::message
