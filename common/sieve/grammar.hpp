// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

#include "common/sieve/program.hpp"

// Every command and test as data: what arguments it takes, and which extension brings them.
namespace gk::sieve {

struct Tag {
    enum class Kind : unsigned char { Flag, String, List, Number, Match, Comparator, Part };
    std::string_view name;
    Kind kind;
    Ext ext;
    std::uint32_t value;  // a bit of flag::, a Slot, a Match or an AddressPart
    unsigned char group;  // not 0: of one group at most one may stand
};

struct Spec {
    std::string_view name;
    Op op;
    Ext ext;
    bool test;  // else a command
    // Positional arguments: s a string, l a list, n a number; "?" before one that may be left out, where the others
    // still follow. Then t a test, T a list of tests, b a block.
    std::string_view takes;
    std::span<const Tag> tags[4];
};

// Null where there is none. COMMAND and test names are apart.
const Spec* find_spec(std::string_view name, bool test) noexcept;
std::string_view name_of(Op op) noexcept;

}  // namespace gk::sieve
