// SPDX-License-Identifier: MIT
#pragma once

#include <sys/stat.h>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "common/base/time.hpp"
#include "common/db/database.hpp"
#include "common/directory/directory.hpp"

namespace gk::directory {

// gk.db and its WAL as stat(2) sees them: equal stamps mean that nothing was written between.
struct Stamp {
    struct File {
        std::int64_t inode = 0, size = -1, mtime_ns = 0;
        bool operator==(const File&) const = default;
    };
    File main, wal;
    bool operator==(const Stamp&) const = default;
};

struct Directory::Impl {
    config::Paths paths;
    Limits limits;
    bool read_only = false;

    std::mutex db_mutex;
    db::Database db;

    // Everything here was read while the files bore STAMP.
    std::shared_mutex cache_mutex;
    Stamp stamp;
    std::int64_t filled_s = 0;
    std::unordered_map<std::string, Resolution> resolutions;  // by delimiter, LF, canonical address
    std::unordered_map<std::string, std::optional<Account>> accounts;
    std::unordered_map<std::string, bool> domains;
    std::unordered_map<std::string, Quota> domain_quotas;

    Stamp read_stamp() const;
    // The cached value of KEY, or QUERY's, which runs with the database locked.
    template <class Map, class Query>
    Result<typename Map::mapped_type> cached(Map& map, const std::string& key, Query query);
    void keep_room(std::size_t entries);

    // A reader may be newer than gk.db, until the next tool brings it up to date: then nothing is known of quotas that
    // the first version did not have. Once seen, the columns stay.
    bool has_quotas = false;
    Result<bool> knows_quotas();

    Result<std::optional<std::int64_t>> domain_id(std::string_view name);
    Result<std::optional<Account>> account_at(std::string_view canonical);
    Result<std::optional<Alias>> alias_at(std::string_view canonical);
    Result<std::vector<std::string>> targets_of(std::int64_t alias_id);
    Result<Resolution> resolve(const std::string& canonical, std::string_view delimiter);
    // The first way from ALIAS back to itself, as "a → b → a"; empty for none.
    Result<std::string> find_circle(const std::string& alias);
    Result<bool> leads_somewhere(const std::string& target);  // out of our domains, or to an account
    Result<std::vector<Account>> list_accounts(std::string_view where, std::string_view argument);

    // BODY inside one transaction with the audit row; readers notice at once.
    template <class Body>
    Status change(const Actor& actor, std::string_view verb, std::string_view object, std::string_view detail,
                  Body body);
    void touch() noexcept;
};

inline constexpr std::size_t kMostCached = 100'000;
// A stamp this young may be followed by another change within the same tick of the file system's clock, or stand
// between a writer's bytes and its commit; nothing read under it is kept.
inline constexpr std::int64_t kUnsureSeconds = 2;
inline constexpr std::int64_t kMostAgeSeconds = 60;

template <class Map, class Query>
Result<typename Map::mapped_type> Directory::Impl::cached(Map& map, const std::string& key, Query query) {
    const Stamp before = read_stamp();  // before the query, so that what it reads is at least as new
    {
        const std::shared_lock lock(cache_mutex);
        if (before == stamp && to_unix_s(now()) - filled_s <= kMostAgeSeconds)
            if (const auto found = map.find(key); found != map.end()) return found->second;
    }
    auto value = [&] {
        const std::lock_guard lock(db_mutex);
        return query();
    }();
    if (!value) return value;
    const std::unique_lock lock(cache_mutex);
    const std::int64_t now_s = to_unix_s(now());
    if (before != stamp || now_s - filled_s > kMostAgeSeconds) {
        resolutions.clear();
        accounts.clear();
        domains.clear();
        domain_quotas.clear();
        stamp = before;
        filled_s = now_s;
    }
    const std::int64_t youngest_s = std::max(before.main.mtime_ns, before.wal.mtime_ns) / 1'000'000'000;
    if (now_s - youngest_s > kUnsureSeconds) {
        keep_room(kMostCached);
        map.insert_or_assign(key, *value);
    }
    return value;
}

}  // namespace gk::directory
