// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/queue/index.hpp"

namespace gk::queue {

// Adds messages to what is counted already, as they are listed. A message counts once for each domain that it waits
// for.
class Tally {
public:
    Tally(By by, TimePoint at, std::vector<Stat> counted = {});
    void add(const Summary& summary);
    // Most messages first.
    std::vector<Stat> rows() const;

private:
    By by_;
    TimePoint at_;
    std::map<std::string, Stat> stats_;
    std::map<std::string, TimePoint> reason_at_;
};

// What nothing is delivered to for now: "*" for everything, or domains. A file of the spool, a line each.
using Drained = std::set<std::string, std::less<>>;
Result<Drained> read_drained(const std::string& spool_dir);
Status write_drained(const std::string& spool_dir, const Drained& drained);  // durable on return

constexpr std::string_view kDrainedReason = "deliveries are drained";

struct DrainChange {
    bool on = true;
    std::string domain;  // empty: everything
};
// BadInput for what is no domain. "off" for everything ends all there is.
Status apply(Drained& drained, const DrainChange& change);

}  // namespace gk::queue
