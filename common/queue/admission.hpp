// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

namespace gk::queue {

// Which messages may come into memory, where MOST have room. The rest waits on disk: in new/, or as a row of the index.
// A destination that works may have as much as is free after it, so that there is always room for others; one that has
// not shown that it works has an eighth of that, and all of those together no more than the others leave; one that
// failed gets a message now and then, to see whether it is back. Not thread-safe.
class Admission {
public:
    using Steady = std::chrono::steady_clock;
    // What a message takes up: a place in the lane of each domain that it goes to.
    struct Ticket {
        std::vector<std::string> domains;
        std::string sender;
        bool is_unproven = false;
    };
    enum class Answer {
        Enter,
        Later,   // its destination works and has enough: soon
        OnDisk,  // nobody knows when
    };

    explicit Admission(std::size_t most) : most_(most - most / 20), reserve_(most / 20) {}
    Answer ask(const Ticket& ticket) const;
    void enter(Ticket& ticket);
    void leave(const Ticket& ticket);
    std::size_t entered() const noexcept { return entered_; }
    std::size_t free() const noexcept { return entered_ < most_ ? most_ - entered_ : 0; }
    // How many more messages for DOMAIN may enter.
    std::size_t room(const std::string& domain) const;

    // True where that is news: there is more room than before. IS_PACED: it takes them slowly, so few at a time.
    bool succeeded(const std::string& domain, bool is_paced);
    void failed(const std::string& domain, Steady::time_point until);
    void reopen();  // what failed may be tried at once
    void prune();   // forgets what is of no interest any more

private:
    struct Lane {
        std::size_t entered = 0;
        Steady::time_point proven_until{}, closed_until{};
        bool has_failed = false, is_paced = false;
    };
    std::size_t most_of(const Lane& lane) const;
    bool is_proven(const Lane& lane) const { return !lane.has_failed && Steady::now() < lane.proven_until; }

    // RESERVE is for those of whose sender there is little.
    std::size_t most_, reserve_, entered_ = 0, unproven_ = 0;
    std::unordered_map<std::string, Lane> lanes_;
    std::unordered_map<std::string, unsigned> senders_;  // messages of each
};

}  // namespace gk::queue
