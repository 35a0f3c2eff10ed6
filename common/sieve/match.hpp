// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/sieve/program.hpp"

// Match types and comparators (RFC 5228, 2.7; RFC 4790; RFC 5231; RFC 5051).
namespace gk::sieve {

using Captures = std::vector<std::string_view>;  // ${0}, ${1}…: views into the value

// The work that comparing costs, in bytes looked at; what may still be spent. Functions below stop when it is gone, and
// say false.
struct Budget {
    std::uint64_t left;
    bool spend(std::uint64_t bytes) noexcept {
        if (left < bytes) return left = 0, false;
        left -= bytes;
        return true;
    }
};

bool equals(std::string_view a, std::string_view b, Comparator comparator, Budget& budget);
bool contains(std::string_view value, std::string_view key, Comparator comparator, Budget& budget);
// -1, 0 or 1: the order that the comparator defines.
int compare(std::string_view a, std::string_view b, Comparator comparator, Budget& budget);
// "*" takes as little as it can, "?" one character (with i;octet one octet); a backslash makes the next literal. Fills
// CAPTURES where it is not null.
bool matches(std::string_view value, std::string_view pattern, Comparator comparator, Budget& budget,
             Captures* captures);
bool holds(int order, Relation relation) noexcept;

}  // namespace gk::sieve
