// SPDX-License-Identifier: MIT
#include "common/mailauth/gate/memo_source.hpp"

#include <fmt/format.h>

#include <exception>

#include "common/base/text.hpp"

namespace gk::mailauth::gate {

template <class Record, class Ask>
Lookup<Record> MemoSource::find(Answers<Record>& answers, std::string_view name, Ask ask) {
    std::unique_lock lock(mutex_);
    const auto [found, is_new] = answers.slots.try_emplace(text::lower(name));
    auto& slot = found->second;  // maps do not move their elements
    const bool is_exempt = &answers == static_cast<void*>(&txt_) && exempt_.contains(found->first);
    if (!is_new) {
        answered_.wait(lock, [&slot] { return slot.there; });
        if (!slot.refused || !is_exempt) return slot.lookup;
        slot.there = false;  // refused before it was exempt: now it is asked for
    }
    const bool permitted = is_exempt || asked_ < most_;
    if (permitted) ++(is_exempt ? exempted_ : asked_);
    lock.unlock();
    Lookup<Record> lookup;
    lookup.outcome = Outcome::TempError;
    if (permitted) {
        try {
            lookup = ask(name);
        } catch (const std::exception& error) {  // no memory; somebody may wait for this answer
            lookup.error = error.what();
        }
    } else {
        lookup.error = fmt::format("more than {} DNS lookups for one message", most_);
    }
    lock.lock();
    slot.lookup = std::move(lookup);
    slot.there = true;
    slot.refused = !permitted;
    answered_.notify_all();
    return slot.lookup;
}

void MemoSource::grant(unsigned more) {
    const std::lock_guard lock(mutex_);
    most_ = asked_ + more;
    for (auto* answers : {&txt_, &a_, &aaaa_, &ptr_})
        std::erase_if(answers->slots, [](const auto& each) { return each.second.refused; });
    std::erase_if(mx_.slots, [](const auto& each) { return each.second.refused; });
    std::erase_if(txt_.slots, [](const auto& each) { return each.second.lookup.outcome == Outcome::TempError; });
}

void MemoSource::exempt(const std::vector<std::string>& names) {
    const std::lock_guard lock(mutex_);
    for (const auto& name : names) exempt_.insert(text::lower(name));
}

Lookup<std::string> MemoSource::txt(std::string_view name) {
    return find(txt_, name, [this](auto n) { return dns_.txt(n); });
}
Lookup<std::string> MemoSource::a(std::string_view name) {
    return find(a_, name, [this](auto n) { return dns_.a(n); });
}
Lookup<std::string> MemoSource::aaaa(std::string_view name) {
    return find(aaaa_, name, [this](auto n) { return dns_.aaaa(n); });
}
Lookup<dns::Mx> MemoSource::mx(std::string_view name) {
    return find(mx_, name, [this](auto n) { return dns_.mx(n); });
}
Lookup<std::string> MemoSource::ptr(std::string_view ip) {
    return find(ptr_, ip, [this](auto n) { return dns_.ptr(n); });
}

}  // namespace gk::mailauth::gate
