// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/authres/authres.hpp"
#include "common/mailauth/gate/check.hpp"

namespace gk::mailauth::gate {

// What the gate writes into a message (RFC 8601, 2.7).
authres::AuthenticationResults results_of(const std::string& authserv_id, const Facts& facts, const Findings& findings);
// The field that sends a message to Junk, with CRLF.
std::string quarantine_field(const Findings& findings);

// One check's verdict, for programs and logs.
struct VerdictLine {
    std::string check;   // "iprev", "spf", "dkim", "arc", "dmarc"
    std::string result;  // a word of RFC 8601
    int score = 0;       // how much it speaks against the message: -1 a pass, 0 nothing, 1 doubtful, 2 a fail
    std::string domain;  // that it is about
    std::string reason;  // for people; untrusted bytes escaped
};
std::vector<VerdictLine> verdict_lines(const Findings& findings);

}  // namespace gk::mailauth::gate
