// SPDX-License-Identifier: MIT
#include "common/queue/admission.hpp"

#include <algorithm>

namespace gk::queue {
namespace {

constexpr std::size_t kUnproven = 40;  // of one destination
constexpr std::size_t kProbes = 2;
// Of whom so little is in memory is let in although the destination has enough of another's.
constexpr unsigned kFewOfSender = 20;
constexpr std::chrono::minutes kProven{10};

}  // namespace

std::size_t Admission::most_of(const Lane& lane) const {
    if (Steady::now() < lane.closed_until) return 0;
    if (lane.has_failed) return kProbes;
    if (is_proven(lane)) return lane.is_paced ? std::min(kUnproven, free()) : free();
    if (unproven_ >= free()) return 0;
    return std::min(kUnproven, std::max<std::size_t>(1, free() / 8));
}

std::size_t Admission::room(const std::string& domain) const {
    const auto found = lanes_.find(domain);
    const Lane none;
    const Lane& lane = found == lanes_.end() ? none : found->second;
    const auto most = most_of(lane);
    return most > lane.entered ? most - lane.entered : 0;
}

Admission::Answer Admission::ask(const Ticket& ticket) const {
    if (ticket.domains.empty()) return free() > 0 ? Answer::Enter : Answer::Later;
    bool is_soon = false;
    for (const auto& domain : ticket.domains) {
        if (room(domain) > 0) return Answer::Enter;
        const auto lane = lanes_.find(domain);
        if (lane == lanes_.end() || !is_proven(lane->second)) continue;
        is_soon = true;
        const auto sender = senders_.find(ticket.sender);
        const unsigned own = sender == senders_.end() ? 0 : sender->second;
        if (own < kFewOfSender && entered_ < most_ + reserve_) return Answer::Enter;
    }
    return is_soon ? Answer::Later : Answer::OnDisk;
}

void Admission::enter(Ticket& ticket) {
    ++entered_;
    ++senders_[ticket.sender];
    ticket.is_unproven = !ticket.domains.empty();
    for (const auto& domain : ticket.domains) {
        Lane& lane = lanes_[domain];
        ++lane.entered;
        if (is_proven(lane)) ticket.is_unproven = false;
    }
    unproven_ += ticket.is_unproven;
}

void Admission::leave(const Ticket& ticket) {
    --entered_;
    unproven_ -= ticket.is_unproven;
    for (const auto& domain : ticket.domains) {
        --lanes_[domain].entered;
    }
    const auto sender = senders_.find(ticket.sender);
    if (--sender->second == 0) senders_.erase(sender);
}

bool Admission::succeeded(const std::string& domain, bool is_paced) {
    Lane& lane = lanes_[domain];
    const bool was_proven = is_proven(lane);
    lane.has_failed = false;
    lane.is_paced = is_paced;
    lane.closed_until = {};
    lane.proven_until = Steady::now() + kProven;
    return !was_proven;
}

void Admission::failed(const std::string& domain, Steady::time_point until) {
    Lane& lane = lanes_[domain];
    lane.has_failed = true;
    lane.closed_until = until;
}

void Admission::reopen() {
    for (auto& [domain, lane] : lanes_) {
        lane.closed_until = {};
        lane.has_failed = false;
    }
}

void Admission::prune() {
    const auto now = Steady::now();
    // A failure is remembered for a while after the lane has opened again: the next visit is a probe still.
    std::erase_if(lanes_, [&](const auto& one) {
        const Lane& lane = one.second;
        return lane.entered == 0 && lane.proven_until < now &&
               (!lane.has_failed || lane.closed_until + std::chrono::hours(1) < now);
    });
}

}  // namespace gk::queue
