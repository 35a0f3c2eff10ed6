// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/tlspolicy/sts_policy.hpp"

namespace gk::tlspolicy {

struct StsEntry {
    std::string domain;
    std::string id;  // of the TXT record that led to it
    TimePoint fetched{}, expires{};
    StsPolicy policy;
    bool is_valid(TimePoint at) const noexcept { return at < expires; }
};

std::string format_sts_entry(const StsEntry& entry);
// BadInput for text that format_sts_entry did not write.
Result<StsEntry> parse_sts_entry(std::string_view text);

// Fetched policies, a text file a domain in DIR, which outlive the process. Programs may use one DIR at the same time.
// What it says of a domain that was never a policy domain costs an open() that fails.
class StsCache {
public:
    StsCache(std::string dir, std::size_t most) : dir_(std::move(dir)), most_(most) {}
    // Also an expired one, until it is replaced or dropped. Nothing where there is none, or it cannot be read.
    std::optional<StsEntry> find(const std::string& domain) const;
    // Where there are too many, those that end first are dropped.
    Status put(const StsEntry& entry);
    Status drop(const std::string& domain);      // NotFound where there is none
    Result<std::vector<StsEntry>> list() const;  // by domain

private:
    std::string dir_;
    std::size_t most_;
};

}  // namespace gk::tlspolicy
