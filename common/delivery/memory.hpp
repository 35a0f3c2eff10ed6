// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/db/database.hpp"

namespace gk::delivery {

// What an account's scripts are to remember: whom vacation answered (RFC 5230, 4.2), which messages duplicate has seen
// (RFC 7352). HOME/sieve.db, made when something is first remembered; what has ended is dropped on the way. One thread.
class Memory {
public:
    Memory(std::string home, std::size_t most) : path_(std::move(home) + "/sieve.db"), most_(most) {}

    enum class Kind { Vacation = 1, Duplicate = 2 };
    // Whether KEY is remembered and NOW_S is before its end.
    Result<bool> knows(Kind kind, std::string_view key, std::int64_t now_s);
    // Remembers it until UNTIL_S, durably. False where it was known already: then nothing changes, so that of two who
    // come at once one alone answers.
    Result<bool> claim(Kind kind, std::string_view key, std::int64_t until_s, std::int64_t now_s);
    Status remember(Kind kind, std::string_view key, std::int64_t until_s, std::int64_t now_s);

private:
    Status open(bool create);
    Status put(Kind kind, std::string_view key, std::int64_t until_s, std::int64_t now_s);
    Result<bool> look(Kind kind, std::string_view key, std::int64_t now_s);
    std::string path_;
    std::size_t most_;
    db::Database db_;
};

}  // namespace gk::delivery
