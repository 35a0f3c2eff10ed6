// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/submit/hand_over.hpp"

// Mail from a program of this machine: read, completed, handed over. What sendmail and gk-queue send share.
namespace gk::submit {

struct Request {
    std::string root;
    std::optional<std::string> sender;  // the reverse-path, "" for the null one; unset: the user's own address
    std::string full_name;              // empty: as the system knows it
    std::vector<std::string> recipients;
    bool recipients_from_header = false;
    bool dot_is_text = false;
    bool eight_bit = false;
    std::string notify, ret, envid;
    std::optional<TimePoint> hold_until;
};

// Reads a message from the descriptor IN to its end and sends it. Durable when it returns the queue id; on a failure
// nobody gets anything.
Outcome<std::string> send(const Request& request, int in);

}  // namespace gk::submit
