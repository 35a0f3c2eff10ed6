// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dns_source.hpp"

namespace gk::mailauth::gate {

// What DNS said to the checks of one message: each question is asked once, whoever of its threads asks first, and past
// a number of them nothing is asked any more.
class MemoSource : public DnsSource {
public:
    // DNS must outlive it.
    MemoSource(DnsSource& dns, unsigned most_lookups) noexcept : dns_(dns), most_(most_lookups) {}

    Lookup<std::string> txt(std::string_view name) override;
    Lookup<std::string> a(std::string_view name) override;
    Lookup<std::string> aaaa(std::string_view name) override;
    Lookup<dns::Mx> mx(std::string_view name) override;
    Lookup<std::string> ptr(std::string_view ip) override;

    void set_deadline(std::chrono::steady_clock::time_point latest) noexcept override { dns_.set_deadline(latest); }

    // So many more questions, for a check that comes after others which a stranger may have made costly on purpose;
    // what was not asked for want of them, and texts that did not come, may be asked for again. Not while another
    // thread asks.
    void grant(unsigned more);

    // Texts that are asked for whatever the limit says, and do not count towards it.
    void exempt(const std::vector<std::string>& names);

    unsigned lookups() const noexcept { return asked_ + exempted_; }

private:
    template <class Record>
    struct Answers {
        struct Slot {
            bool there = false, refused = false;  // refused: past the limit, never asked
            Lookup<Record> lookup;
        };
        std::map<std::string, Slot, std::less<>> slots;
    };
    template <class Record, class Ask>
    Lookup<Record> find(Answers<Record>& answers, std::string_view name, Ask ask);

    DnsSource& dns_;
    unsigned most_;
    std::atomic<unsigned> asked_{0}, exempted_{0};
    std::mutex mutex_;
    std::condition_variable answered_;
    std::set<std::string> exempt_;  // in lower case
    Answers<std::string> txt_, a_, aaaa_, ptr_;
    Answers<dns::Mx> mx_;
};

}  // namespace gk::mailauth::gate
