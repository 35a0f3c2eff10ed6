// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "common/imap/thread/forest.hpp"
#include "common/store/threads.hpp"

// The threading algorithms of RFC 5256, 3. Messages are given in the order of their numbers.
namespace gk::imap {

class OrderedSubject {
public:
    void add(std::uint32_t number, const store::ThreadRow& row);
    std::vector<Member> finish();

private:
    std::vector<Member> members_;
    std::vector<std::uint64_t> subjects_;
};

// With the gathering by subject that the algorithm ends with.
class References {
public:
    void add(std::uint32_t number, const store::ThreadRow& row);
    std::vector<Member> finish();

private:
    struct Node {
        std::uint32_t children = 0;
        std::uint64_t subject = 0;
        bool is_reply = false;
    };
    std::uint32_t place_of(std::uint64_t id);  // kNobody: there are too many
    std::uint32_t new_node();
    bool makes_a_loop(std::uint32_t parent, std::uint32_t child);
    void link(std::uint32_t parent, std::uint32_t child);
    void unlink(std::uint32_t child);
    void prune();
    void gather_subjects();

    std::vector<Member> members_;
    std::vector<Node> nodes_;  // of the same numbers
    std::unordered_map<std::uint64_t, std::uint32_t> by_id_;
    std::size_t absent_ = 0;
    std::uint64_t steps_ = 0;
};

}  // namespace gk::imap
