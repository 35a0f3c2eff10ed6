// SPDX-License-Identifier: MIT
#include "common/imap/thread/forest.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <numeric>

namespace gk::imap {

namespace {

// The children of each member, sorted, one after the other; those of nobody are the threads.
class Forest {
public:
    explicit Forest(std::vector<Member> members);
    void append(std::string& out) const;

private:
    void append_thread(std::string& out, std::uint32_t root) const;

    std::vector<Member> members_;
    std::vector<std::uint32_t> sorted_;  // members with a parent, by parent and date; then those without
    std::vector<std::uint32_t> first_;   // of each member's children in sorted_, and the end
};

Forest::Forest(std::vector<Member> members) : members_(std::move(members)), first_(members_.size() + 1, 0) {
    const auto count = static_cast<std::uint32_t>(members_.size());
    std::vector<bool> has_child(count, false);
    for (const Member& member : members_)
        if (member.parent != kNobody) has_child[member.parent] = true;
    // Who is not there counts as his first child.
    std::vector<std::uint32_t> place(count);
    std::iota(place.begin(), place.end(), 0);
    const auto before = [&](std::uint32_t a, std::uint32_t b) {
        return members_[a].sent != members_[b].sent ? members_[a].sent < members_[b].sent : place[a] < place[b];
    };
    std::vector<std::uint32_t> eldest(count, kNobody);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t parent = members_[i].parent;
        if (parent == kNobody || members_[parent].number != 0) continue;
        if (eldest[parent] == kNobody || before(i, eldest[parent])) eldest[parent] = i;
    }
    for (std::uint32_t i = 0; i < count; ++i) {
        if (eldest[i] == kNobody) continue;
        members_[i].sent = members_[eldest[i]].sent;
        place[i] = eldest[i];
    }
    for (std::uint32_t i = 0; i < count; ++i)
        if (members_[i].number != 0 || has_child[i]) sorted_.push_back(i);
    std::sort(sorted_.begin(), sorted_.end(), [&](std::uint32_t a, std::uint32_t b) {
        return members_[a].parent != members_[b].parent ? members_[a].parent < members_[b].parent : before(a, b);
    });
    std::uint32_t at = 0;
    for (std::uint32_t i = 0; i <= count; ++i) {
        first_[i] = at;
        while (i < count && at < sorted_.size() && members_[sorted_[at]].parent == i) ++at;
    }
}

// thread-list = "(" (thread-members / thread-nested) ")"; without recursion, since a thread may be of any depth.
void Forest::append_thread(std::string& out, std::uint32_t root) const {
    struct Branch {
        std::uint32_t next, end;  // in sorted_
    };
    std::vector<Branch> open;
    const auto begin = [&](std::uint32_t member) {
        out += '(';
        for (const char* separator = "";; separator = " ") {
            if (members_[member].number != 0)
                fmt::format_to(std::back_inserter(out), "{}{}", separator, members_[member].number);
            const std::uint32_t children = first_[member + 1] - first_[member];
            if (children == 1) {
                member = sorted_[first_[member]];
                continue;
            }
            if (children > 1 && members_[member].number != 0) out += ' ';
            open.push_back({first_[member], first_[member + 1]});
            return;
        }
    };
    begin(root);
    while (!open.empty()) {
        Branch& branch = open.back();
        if (branch.next == branch.end) {
            out += ')';
            open.pop_back();
            continue;
        }
        begin(sorted_[branch.next++]);
    }
}

void Forest::append(std::string& out) const {
    out += "* THREAD";
    if (first_.back() < sorted_.size()) out += ' ';
    for (std::size_t at = first_.back(); at < sorted_.size(); ++at) append_thread(out, sorted_[at]);
    out += "\r\n";
}

}  // namespace

void append_threads(std::string& out, std::vector<Member> members) { Forest(std::move(members)).append(out); }

}  // namespace gk::imap
