// SPDX-License-Identifier: MIT
#include "common/policy/rates.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace gk::policy {

// A tenth at once, so that this is rare; those first that lose least. Else whoever has many addresses had all forgiven.
void Rates::forget_fullest() {
    std::vector<std::pair<double, const std::string*>> full_at;
    for (const auto& [key, bucket] : buckets_) full_at.emplace_back(bucket.full_at_s, &key);
    const auto tenth = std::max<std::size_t>(buckets_.size() / 10, 1);
    std::nth_element(full_at.begin(), full_at.begin() + static_cast<std::ptrdiff_t>(tenth - 1), full_at.end());
    std::vector<std::string> gone;
    for (std::size_t i = 0; i < tenth; ++i) gone.push_back(*full_at[i].second);
    for (const auto& key : gone) buckets_.erase(key);
}

std::int64_t Rates::take(const std::string& key, std::int64_t an_hour, std::int64_t now_s) {
    if (an_hour <= 0) return 0;
    const auto most = static_cast<double>(an_hour);
    const double each_s = most / 3600;
    const std::lock_guard lock(mutex_);
    // An hour later a bucket is full again, and as good as a new one.
    if (buckets_.size() >= most_keys_)
        std::erase_if(buckets_, [&](const auto& one) { return now_s - one.second.at_s >= 3600; });
    if (buckets_.size() >= most_keys_) forget_fullest();
    auto [found, fresh] = buckets_.try_emplace(key, Bucket{most, now_s, 0});
    Bucket& bucket = found->second;
    bucket.left =
        std::min(most, bucket.left + each_s * static_cast<double>(std::max<std::int64_t>(now_s - bucket.at_s, 0)));
    bucket.at_s = now_s;
    const bool is_room = bucket.left >= 1;
    if (is_room) bucket.left -= 1;
    bucket.full_at_s = static_cast<double>(now_s) + (most - bucket.left) / each_s;
    if (is_room) return 0;
    return static_cast<std::int64_t>(std::ceil((1 - bucket.left) / each_s));
}

}  // namespace gk::policy
