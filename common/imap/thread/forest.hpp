// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace gk::imap {

inline constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();

// A message in a thread, or a place in it for one that is not there.
struct Member {
    std::uint32_t number = 0;  // what the client is told: sequence number or UID; 0: not there
    std::uint32_t parent = kNobody;
    std::int64_t sent = 0;
};

// "* THREAD (2)(3 6 (4 23)(44 7 96))" (RFC 5256, 4): siblings by their date, then by their number, which ascends with
// their place in MEMBERS. Who is not there may only be at the top, has his first child's date, and is nothing without
// children. Parents must not go in circles.
void append_threads(std::string& out, std::vector<Member> members);

}  // namespace gk::imap
