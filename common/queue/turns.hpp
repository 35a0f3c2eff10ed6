// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

namespace gk::queue {

// A queue in which those who have something waiting take turns: the thousands of one do not hold up another's one.
template <class T>
class Turns {
public:
    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }

    void push(const std::string& whose, T what) {
        auto& own = by_owner_[whose];
        if (own.empty()) order_.push_back(whose);
        own.push_back(std::move(what));
        ++size_;
    }
    // What was popped comes back, as the next of all.
    void put_back(const std::string& whose, T what) {
        auto& own = by_owner_[whose];
        if (own.empty()) order_.push_front(whose);
        own.push_front(std::move(what));
        ++size_;
    }
    T pop() {
        std::string whose = std::move(order_.front());
        order_.pop_front();
        const auto own = by_owner_.find(whose);
        T what = std::move(own->second.front());
        own->second.pop_front();
        if (own->second.empty()) by_owner_.erase(own);
        else order_.push_back(std::move(whose));
        --size_;
        return what;
    }

private:
    std::unordered_map<std::string, std::deque<T>> by_owner_;
    std::deque<std::string> order_;
    std::size_t size_ = 0;
};

}  // namespace gk::queue
