// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>
#include <sys/stat.h>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "common/base/time.hpp"
#include "common/db/database.hpp"
#include "common/directory/directory.hpp"
#include "common/directory/patterns.hpp"

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

    // A reader may be newer than gk.db, until the next tool brings it up to date: then nothing is known of what the
    // first versions did not have. Once seen, the columns stay.
    std::int64_t seen_version = 0;
    Result<std::int64_t> version();
    Result<bool> knows_quotas();  // version 2
    Result<bool> knows_rules();   // version 3: patterns, lists, other names of domains

    Result<std::optional<std::int64_t>> domain_id(std::string_view name);
    Result<std::optional<Account>> account_at(std::string_view canonical);
    Result<std::optional<Alias>> alias_at(std::string_view canonical);
    Result<std::vector<std::string>> targets_of(std::int64_t alias_id);
    Result<std::optional<List>> list_of(std::int64_t alias_id);

    // What a step of a walk asks; no joins, since a recipient takes several.
    struct Place {
        std::int64_t id;
        std::string name;  // of the domain itself, where another name of it was asked for
    };
    enum class Kind : std::int64_t { Alias = 0, Pattern = 1, List = 2 };
    struct Found {
        std::int64_t id;
        Kind kind;
    };
    struct Matched {
        std::int64_t id;
        std::string local_part;           // "/PATTERN/"
        std::vector<std::string> groups;  // the whole first
    };
    Result<std::optional<Place>> place_of(std::string_view domain);
    Result<bool> has_account(std::int64_t domain, std::string_view local_part);
    Result<std::optional<Found>> alias_in(std::int64_t domain, std::string_view local_part);
    Result<std::optional<Matched>> pattern_for(std::int64_t domain, std::string_view local_part);
    Patterns patterns;

    Result<Resolution> resolve(const std::string& canonical, std::string_view delimiter);
    Result<Resolution> members(const std::string& list);
    // An error where what the alias leads to is a circle, nobody, or too much.
    Status verify(std::int64_t alias_id, const std::string& address);

    enum class Put { Added, Changed, Same };
    Result<std::pair<Put, std::int64_t>> put(const NewAlias& canonical, const Actor& actor);
    Status audit(const Actor& actor, std::string_view verb, std::string_view object, std::string_view detail);
    Result<std::vector<Account>> list_accounts(std::string_view where, std::string_view argument);

    // BODY inside one transaction with the audit row; readers notice at once.
    template <class Body>
    Status change(const Actor& actor, std::string_view verb, std::string_view object, std::string_view detail,
                  Body body);
    Result<std::string> names_of(std::int64_t domain);  // the other ones, apart by spaces
    void touch() noexcept;
};

inline constexpr std::size_t kMostCached = 100'000;
// A stamp this young may be followed by another change within the same tick of the file system's clock, or stand
// between a writer's bytes and its commit; nothing read under it is kept.
inline constexpr std::int64_t kUnsureSeconds = 2;
inline constexpr std::int64_t kMostAgeSeconds = 60;

template <class Body>
Status Directory::Impl::change(const Actor& actor, std::string_view verb, std::string_view object,
                               std::string_view detail, Body body) {
    if (read_only) return fail(Errc::Denied, fmt::format("'{}' is open for reading", paths.directory_db));
    const std::lock_guard lock(db_mutex);
    GK_TRY(auto transaction, db::Transaction::begin(db));
    GK_CHECK(body());
    GK_CHECK(audit(actor, verb, object, detail));
    GK_CHECK(transaction.commit());
    touch();
    return ok();
}

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
