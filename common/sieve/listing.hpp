// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/sieve/sieve.hpp"

namespace gk::sieve {

// What a script was compiled to, a line a node in the order of the text: for people.
struct Listed {
    Position at;
    std::string script;  // included script, or empty
    unsigned depth;
    std::string what;
};
std::vector<Listed> list_program(const Script& script);

}  // namespace gk::sieve
