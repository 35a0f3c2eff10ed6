// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/db/database.hpp"

namespace gk::queue {

// What comes after the '@', in lower case and A-labels; of a literal as it stands. What turns and limits go by.
std::string domain_of(std::string_view address);

// One queued message as a list shows it.
struct Summary {
    std::string id, trace_id, sender, status;  // status: new, scheduled, active, deferred, held, bouncing
    std::uint64_t size = 0;
    TimePoint arrival{};
    std::optional<TimePoint> next;  // the next attempt
    unsigned attempts = 0;
    std::vector<std::string> recipients;  // those still waiting; all, where none waits
    std::size_t recipients_total = 0;
    std::string reason;   // of the last deferral or failure
    std::string account;  // that submitted it; empty: none
    // When it must be looked at although its destinations are away: to give it up, or to warn the sender. Nothing:
    // never.
    std::optional<TimePoint> deadline;
    // The domains (domain_of) of the recipients that wait, each with its next attempt. The index's own; not shown.
    std::vector<std::pair<std::string, TimePoint>> due;
};

struct Filter {
    std::string sender, recipient, status;  // empty: any. "ann@a.test", or "@a.test" for a domain
    std::uint64_t limit = 0;                // 0: all
    std::string account = {};               // as sender
    std::string reason = {};                // a part of it, in any case of letters
    TimePoint before{}, after{};            // arrived then; unset: any time
    std::string next_hop = {};              // key of a route, as explain names it; not asked by matches()
    bool matches(const Summary& summary) const;
};

// The ages, in minutes, that part the columns of a table by age; the last column is what is older.
constexpr std::array<unsigned, 9> kAgeMinutes = {5, 10, 20, 40, 80, 160, 320, 640, 1280};
// The column of what arrived THEN.
std::size_t age_column(TimePoint at, TimePoint then) noexcept;

// What waits for one destination, or from one sender.
struct Stat {
    std::string name;
    std::uint64_t messages = 0, held = 0, size = 0;            // the held and the active included
    TimePoint oldest{};                                        // arrival
    std::optional<TimePoint> next;                             // of a destination; nothing: all are held, or active
    std::array<std::uint64_t, kAgeMinutes.size() + 1> ages{};  // By::Age alone
    std::string reason;                                        // of the last deferral
    // Of a destination, where a daemon runs:
    std::string route, state;  // state: "up", "down", "throttled", "paced", "drained"; empty: not known
    TimePoint until{};         // nothing is sent before
    unsigned sessions = 0;
};

// Age is Destination, with a count for each age.
enum class By { Destination, Sender, Account, Age };

// queue.db: when which message is due, and what list shows. A cache: without it the spool is read again, and
// before an attempt the message's own file is always asked. Thread-safe.
//
// What is due is kept by recipient domain, a lane each, so that one domain's backlog is no obstacle to another's.
// The lanes' times are in memory: some 150 bytes for each domain that mail waits for.
class Index {
public:
    struct Due {
        std::string id;
        bool is_forced = false;  // by make_due(), whatever the message's own file says of its next attempt
    };
    // How many more of DOMAIN's messages may be taken now.
    using Room = std::function<std::size_t(const std::string& domain)>;

    static Result<Index> open(const std::string& path);
    Index(Index&&) noexcept;
    Index& operator=(Index&&) noexcept;
    ~Index();

    struct Entry {
        Summary summary;
        bool held = false;
    };
    Status put(const Summary& summary, bool held);
    // In one transaction.
    Status put(std::span<const Entry> entries);
    Status remove(const std::string& id);
    // Up to LIMIT messages due at or before NOW and not held; lent out: not due again until put(). Domains take turns.
    // Of one domain half are those that are due for longest, half those that became due last, so that whoever has one
    // message does not wait behind another's thousands.
    Result<std::vector<Due>> take_due(TimePoint now, std::size_t limit, const Room& room = nullptr);
    // Nothing of DOMAIN is due before UNTIL, but for what has reached its deadline.
    void close(const std::string& domain, TimePoint until);
    // Undoes every close(), or that of DOMAIN.
    void reopen(const std::string& domain = "");
    // What was lent out when the program ended is due again, and so is what lies further ahead than LATEST without
    // having been told to (the clock was wrong).
    Status recover(TimePoint now, TimePoint latest);
    // The lanes that had no room at the last take_due() do not count: who makes room looks again.
    Result<std::optional<TimePoint>> next_due();
    bool has_full_lanes();
    // All that wait, or those for the recipients of DOMAIN, are due now.
    Status make_due(TimePoint now, const std::string& domain = "");
    // Gives back one that was lent out, or makes one that is not there due then.
    Status postpone(const std::string& id, TimePoint until);
    // The ids behind AFTER, in order, at most LIMIT.
    Result<std::vector<std::string>> ids(const std::string& after, std::size_t limit);
    Result<bool> contains(const std::string& id);
    Result<std::optional<std::string>> find(const std::string& id_or_trace);
    // In the order of ids, in pieces: EACH may be slow, and may call the index. Costs what the narrowest of the
    // filter's parts matches (recipient's domain, then sender, then status), up to its limit.
    Status list(const Filter& filter, const std::function<void(const Summary&)>& each);
    // One for each, in alphabetical order, with ages AT that time. Costs a jump for each, but By::Age, which counts.
    Result<std::vector<Stat>> stats(By by, TimePoint at);
    Result<std::uint64_t> count();

private:
    struct Lanes;
    Index();
    Status load_lanes();
    Status put_locked(const Summary& summary, bool held);
    struct Change {
        std::int64_t messages = 0, held = 0, size = 0;
        void add(std::int64_t m, std::int64_t h, std::int64_t s) { messages += m, held += h, size += s; }
    };
    using Changes = std::map<std::pair<By, std::string>, Change>;
    Status take_off(const std::string& id, const std::vector<std::string>& domains, Changes& changes);
    Status count(const Changes& changes, const std::string& reason);
    Status page_of_stats(By by, std::vector<Stat>& all);
    Status count_ages(TimePoint at, std::vector<Stat>& all);
    Status take_from_lane(const std::string& domain, TimePoint now, std::size_t most, std::vector<Due>& taken);
    Result<std::vector<std::string>> past_deadline(TimePoint now, std::size_t limit);
    Status lend(const std::string& id, std::vector<Due>& taken);
    Result<std::vector<std::string>> domains_locked(const std::string& id);
    Result<std::vector<Summary>> page(const Filter& filter, const std::string& after);

    std::unique_ptr<std::mutex> mutex_;
    db::Database db_;
    std::unique_ptr<Lanes> lanes_;
};

}  // namespace gk::queue
