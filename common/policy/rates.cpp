// SPDX-License-Identifier: MIT
#include "common/policy/rates.hpp"

#include <algorithm>
#include <cmath>

namespace gk::policy {

std::int64_t Rates::take(const std::string& key, std::int64_t an_hour, std::int64_t now_s) {
    if (an_hour <= 0) return 0;
    const auto most = static_cast<double>(an_hour);
    const double each_s = most / 3600;
    const std::lock_guard lock(mutex_);
    // An hour later a bucket is full again, and as good as a new one.
    if (buckets_.size() >= most_keys_)
        std::erase_if(buckets_, [&](const auto& one) { return now_s - one.second.at_s >= 3600; });
    if (buckets_.size() >= most_keys_) buckets_.clear();
    auto [found, fresh] = buckets_.try_emplace(key, Bucket{most, now_s});
    Bucket& bucket = found->second;
    bucket.left =
        std::min(most, bucket.left + each_s * static_cast<double>(std::max<std::int64_t>(now_s - bucket.at_s, 0)));
    bucket.at_s = now_s;
    if (bucket.left >= 1) {
        bucket.left -= 1;
        return 0;
    }
    return static_cast<std::int64_t>(std::ceil((1 - bucket.left) / each_s));
}

}  // namespace gk::policy
