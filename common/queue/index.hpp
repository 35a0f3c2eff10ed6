// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/db/database.hpp"

namespace gk::queue {

// One queued message as a list shows it.
struct Summary {
    std::string id, trace_id, sender, status;  // status: new, active, deferred, held, bouncing
    std::uint64_t size = 0;
    TimePoint arrival{};
    std::optional<TimePoint> next;  // the next attempt
    unsigned attempts = 0;
    std::vector<std::string> recipients;  // those still waiting; all, where none waits
    std::size_t recipients_total = 0;
    std::string reason;  // of the last deferral or failure
};

struct Filter {
    std::string sender, recipient, status;  // empty: any. "ann@a.test", or "@a.test" for a domain
    std::uint64_t limit = 0;                // 0: all
    bool matches(const Summary& summary) const;
};

// queue.db: when which message is due, and what list shows. A cache: without it the spool is read again, and
// before an attempt the message's own file is always asked. Thread-safe.
class Index {
public:
    static Result<Index> open(const std::string& path);
    Index(Index&&) noexcept;
    Index& operator=(Index&&) noexcept;

    Status put(const Summary& summary, bool held);
    Status remove(const std::string& id);
    // Up to LIMIT ids due at or before NOW and not held, earliest first; they are lent out: not due again until put().
    Result<std::vector<std::string>> take_due(TimePoint now, std::size_t limit);
    // What was lent out when the program ended is due again, and so is what lies further ahead than LATEST without
    // having been told to (the clock was wrong).
    Status recover(TimePoint now, TimePoint latest);
    Result<std::optional<TimePoint>> next_due();
    // All that wait, or those in IDS, are due now.
    Status make_due(TimePoint now, const std::string& id = "");
    // Gives back one that was lent out, or makes one that is not there due then.
    Status postpone(const std::string& id, TimePoint until);
    Result<std::set<std::string>> ids();
    Result<std::optional<std::string>> find(const std::string& id_or_trace);
    Status list(const Filter& filter, const std::function<void(const Summary&)>& each);
    Result<std::uint64_t> count();

private:
    Index() = default;
    std::unique_ptr<std::mutex> mutex_;
    db::Database db_;
};

}  // namespace gk::queue
