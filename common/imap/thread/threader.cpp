// SPDX-License-Identifier: MIT
#include "common/imap/thread/threader.hpp"

#include <algorithm>
#include <numeric>

namespace gk::imap {

namespace {

// Messages that others name and that are not there: past so many (40 MB), what names them is taken to name nobody.
constexpr std::size_t kMostAbsent = 1'000'000;
// Steps up a thread in search of a loop, all together: about a second. Only mail that was made to cost time takes more;
// its links are then not made.
constexpr std::uint64_t kMostSteps = 200'000'000;

}  // namespace

void OrderedSubject::add(std::uint32_t number, const store::ThreadRow& row) {
    members_.push_back({number, kNobody, row.sent});
    subjects_.push_back(row.subject);
}

std::vector<Member> OrderedSubject::finish() {
    std::vector<std::uint32_t> order(members_.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) {
        if (subjects_[a] != subjects_[b]) return subjects_[a] < subjects_[b];
        return members_[a].sent != members_[b].sent ? members_[a].sent < members_[b].sent : a < b;
    });
    // All that follow the first of a subject are its children: there are no grandchildren.
    for (std::size_t i = 1, first = 0; i < order.size(); ++i) {
        if (subjects_[order[i]] == subjects_[order[first]]) members_[order[i]].parent = order[first];
        else first = i;
    }
    return std::move(members_);
}

std::uint32_t References::new_node() {
    members_.emplace_back();
    nodes_.emplace_back();
    return static_cast<std::uint32_t>(members_.size() - 1);
}

std::uint32_t References::place_of(std::uint64_t id) {
    if (const auto at = by_id_.find(id); at != by_id_.end()) return at->second;
    if (absent_ == kMostAbsent) return kNobody;
    ++absent_;
    return by_id_[id] = new_node();
}

bool References::makes_a_loop(std::uint32_t parent, std::uint32_t child) {
    if (parent == child) return true;
    if (nodes_[child].children == 0) return false;
    for (std::uint32_t at = parent; at != kNobody; at = members_[at].parent)
        if (at == child || ++steps_ > kMostSteps) return true;
    return false;
}

void References::link(std::uint32_t parent, std::uint32_t child) {
    if (makes_a_loop(parent, child)) return;
    members_[child].parent = parent;
    ++nodes_[parent].children;
}

void References::unlink(std::uint32_t child) {
    std::uint32_t& parent = members_[child].parent;
    if (parent == kNobody) return;
    --nodes_[parent].children;
    parent = kNobody;
}

// Steps 1.A and 1.B of RFC 5256, 3
void References::add(std::uint32_t number, const store::ThreadRow& row) {
    std::uint32_t self = row.own == 0 ? kNobody : place_of(row.own);
    // Without an id, or with one that another has already: one of its own.
    if (self == kNobody || members_[self].number != 0) self = new_node();
    else if (absent_ > 0) --absent_;
    members_[self].number = number;
    members_[self].sent = row.sent;
    nodes_[self].subject = row.subject;
    nodes_[self].is_reply = row.is_reply;
    std::uint32_t last = kNobody;
    for (const std::uint64_t id : row.ancestors) {
        const std::uint32_t next = place_of(id);
        if (next == kNobody) continue;
        if (last != kNobody && members_[next].parent == kNobody) link(last, next);
        last = next;
    }
    unlink(self);
    if (last != kNobody) link(last, self);
}

// Steps 2 and 3: who is not there goes, and his children take his place, unless that would make several of them
// threads.
void References::prune() {
    const auto count = static_cast<std::uint32_t>(members_.size());
    std::vector<std::uint32_t> way;
    // Whom the children of an absent one come to: the next above who is there, else the topmost.
    for (std::uint32_t i = 0; i < count; ++i) {
        way.clear();
        std::uint32_t at = i;
        while (members_[at].parent != kNobody && members_[members_[at].parent].number == 0) {
            way.push_back(at);
            at = members_[at].parent;
        }
        // AT is there below somebody who is, or is a thread's top, or is absent and below somebody who is there.
        const std::uint32_t target =
            members_[at].number == 0 && members_[at].parent != kNobody ? members_[at].parent : at;
        for (const std::uint32_t below : way) members_[below].parent = target;
    }
    // Absent ones that are not at the top have no children who are there any more.
    std::vector<std::uint32_t> children(count, 0), only(count, kNobody);
    for (std::uint32_t i = 0; i < count; ++i) {
        if (members_[i].number == 0 || members_[i].parent == kNobody) continue;
        ++children[members_[i].parent];
        only[members_[i].parent] = i;
    }
    for (std::uint32_t i = 0; i < count; ++i) {
        if (members_[i].number != 0) continue;
        if (members_[i].parent == kNobody && children[i] == 1) members_[only[i]].parent = kNobody;
        members_[i].parent = kNobody;
    }
}

// Steps 4 and 5
void References::gather_subjects() {
    const auto count = static_cast<std::uint32_t>(members_.size());
    std::vector<std::vector<std::uint32_t>> absent_children;  // of those who are not there
    std::unordered_map<std::uint32_t, std::size_t> absent;
    const auto children_of = [&](std::uint32_t node) -> std::vector<std::uint32_t>& {
        const auto [at, fresh] = absent.emplace(node, absent_children.size());
        if (fresh) absent_children.emplace_back();
        return absent_children[at->second];
    };
    std::vector<std::uint32_t> roots;
    const auto before = [&](std::uint32_t a, std::uint32_t b) {
        return members_[a].sent != members_[b].sent ? members_[a].sent < members_[b].sent : a < b;
    };
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t parent = members_[i].parent;
        if (members_[i].number == 0) continue;
        if (parent == kNobody) roots.push_back(i);
        else if (members_[parent].number == 0) children_of(parent).push_back(i);
    }
    std::vector<std::uint32_t> eldest(count, kNobody);
    for (const auto& [node, children] : absent) {
        const auto& own = absent_children[children];
        eldest[node] = *std::min_element(own.begin(), own.end(), before);
        roots.push_back(node);
    }
    // Who is not there is sorted, and has his subject, by his first child.
    const auto speaker = [&](std::uint32_t node) { return members_[node].number == 0 ? eldest[node] : node; };
    std::sort(roots.begin(), roots.end(),
              [&](std::uint32_t a, std::uint32_t b) { return before(speaker(a), speaker(b)); });

    std::unordered_map<std::uint64_t, std::uint32_t> table;
    for (const std::uint32_t root : roots) {
        const Node& node = nodes_[speaker(root)];
        if (node.subject == 0) continue;
        const auto [at, fresh] = table.emplace(node.subject, root);
        if (fresh || members_[at->second].number == 0) continue;
        const bool reply_before = nodes_[speaker(at->second)].is_reply;
        if (members_[root].number == 0 || (reply_before && !node.is_reply)) at->second = root;
    }
    for (const std::uint32_t root : roots) {
        const std::uint64_t subject = nodes_[speaker(root)].subject;
        if (subject == 0) continue;
        std::uint32_t& first = table.at(subject);
        if (first == root) continue;
        if (members_[first].number == 0 && members_[root].number == 0) {
            for (const std::uint32_t child : children_of(root)) members_[child].parent = first;
        } else if (members_[first].number == 0) {
            members_[root].parent = first;
        } else if (nodes_[speaker(root)].is_reply && !nodes_[first].is_reply) {
            members_[root].parent = first;
        } else {
            const std::uint32_t together = new_node();
            members_[root].parent = members_[first].parent = together;
            first = together;
        }
    }
}

std::vector<Member> References::finish() {
    by_id_ = {};
    prune();
    gather_subjects();
    return std::move(members_);
}

}  // namespace gk::imap
