// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/queue/index.hpp"

namespace gk::queue {

// The ages, in minutes, that part the columns of a table by age; the last column is what is older.
constexpr std::array<unsigned, 9> kAgeMinutes = {5, 10, 20, 40, 80, 160, 320, 640, 1280};

// What waits for one destination, or from one sender.
struct Stat {
    std::string name;
    std::uint64_t messages = 0, held = 0, size = 0;
    TimePoint oldest{};
    std::optional<TimePoint> next;
    std::array<std::uint64_t, kAgeMinutes.size() + 1> ages{};
    std::string reason;  // the latest known
    // Of a destination, where a daemon runs:
    std::string route, state;  // state: "up", "down", "drained"; empty: not known
    TimePoint until{};         // down: not tried before
    unsigned sessions = 0;
};

enum class By { Destination, Sender, Account };

// Counts messages as they are listed. A message counts once for each domain that it waits for.
class Tally {
public:
    Tally(By by, TimePoint at) : by_(by), at_(at) {}
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
