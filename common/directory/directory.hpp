// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"

// Domains, accounts and aliases: gk.db. Written by gk-domain, gk-user and gk-alias alone, read by the daemons;
// what a tool commits is seen by the next look-up. Addresses are given in any spelling and come back canonical.
namespace gk::directory {

// How much may be kept; 0: no limit.
struct Quota {
    std::int64_t bytes = 0, messages = 0;
    bool operator==(const Quota&) const = default;
};

struct Domain {
    std::int64_t id = 0;
    std::string name;
    std::string tenant;
    std::int64_t created_s = 0;
    std::int64_t accounts = 0, aliases = 0;  // how many it has
    Quota quota = {};                        // of all its accounts together
};

struct Account {
    std::int64_t id = 0;
    std::string address;  // canonical: "ann@a.test"
    std::string tenant;
    std::string name;              // for people; may be empty
    bool admin = false;            // its domain's administrator; postmaster's mail goes to the first
    bool disabled = false;         // may not log in; mail is accepted all the same
    std::int64_t quota_bytes = 0;  // 0: no limit
    std::int64_t created_s = 0;
    std::int64_t quota_messages = 0;  // 0: no limit
    bool operator==(const Account&) const = default;
};

struct Alias {
    std::int64_t id = 0;
    std::string address;  // "sales@a.test", or "@a.test" for the catch-all
    std::string tenant;
    std::vector<std::string> targets;
    std::int64_t created_s = 0;
};

// Where one recipient's mail goes.
struct Resolution {
    enum class Kind {
        NotLocal,    // not one of our domains
        NoSuchUser,  // our domain, but nobody there by that name
        Found,
    };
    struct Target {
        std::string account;  // canonical address
        std::string detail;   // what followed the sub-address delimiter; may be empty
        bool operator==(const Target&) const = default;
    };
    Kind kind = Kind::NotLocal;
    std::vector<Target> accounts;       // each account once
    std::vector<std::string> external;  // aliases that lead out of our domains
    bool through_alias = false;
};

struct Limits {
    int alias_depth = 20;
    int alias_size = 10'000;
    std::string postmaster;       // directory.postmaster
    std::string delimiter = "+";  // delivery.subaddress_delimiter
    static Limits from(const config::Config& config);
};

// Who makes a change; recorded with it.
struct Actor {
    std::string name;
    static Actor caller();  // the person at this program: behind sudo, the one who called it
};

// Thread-safe. One Directory serves all threads of a program.
class Directory {
public:
    // READ_ONLY needs no right to write, and a gk.db that a tool made. Otherwise gk.db is made where missing
    // (0640, WAL that persists, so that readers without write rights work) and its schema brought up to date.
    static Result<std::shared_ptr<Directory>> open(const config::Paths& paths, bool read_only,
                                                   const Limits& limits = {});
    ~Directory();
    void set_limits(const Limits& limits);  // for a reload

    // Look-ups; answered from memory after two stat(2) where nothing changed.
    Result<bool> is_local_domain(std::string_view domain);
    // Follows aliases. BadInput: not an address; Permanent: aliases lead in a circle, too deep or to too many.
    Result<Resolution> resolve(std::string_view recipient);
    Result<Resolution> resolve(std::string_view recipient, std::string_view subaddress_delimiter);
    Result<std::optional<Account>> find_account(std::string_view address);
    Result<Quota> quota_of_domain(std::string_view domain);  // none where it is not ours
    // Own address, sub-addresses of it, and aliases that lead to it.
    Result<bool> may_send_as(std::string_view account, std::string_view address);

    // Lists, sorted by name; an empty DOMAIN for all.
    Result<std::vector<Domain>> domains();
    Result<std::vector<Account>> accounts(std::string_view domain = "");
    Result<std::vector<Alias>> aliases(std::string_view domain = "");
    Result<std::optional<Domain>> find_domain(std::string_view name);
    Result<std::optional<Alias>> find_alias(std::string_view address);

    // Changes; each is one transaction that also writes the audit row. Durable on return.
    Result<Domain> add_domain(std::string_view name, const Actor& actor);
    Status set_domain_quota(std::string_view name, const Quota& quota, const Actor& actor);
    Status remove_domain(std::string_view name, const Actor& actor);  // Denied while it has accounts or aliases
    struct NewAccount {
        std::string name;
        bool admin = false;
        std::int64_t quota_bytes = 0, quota_messages = 0;
    };
    Result<Account> add_account(std::string_view address, const NewAccount& details, const Actor& actor);
    // Stores name, admin, disabled and quota of the account with that address.
    Status change_account(const Account& account, const Actor& actor);
    Status remove_account(std::string_view address, const Actor& actor);
    // Adds TARGETS to the alias, which is made where missing. Refuses an alias that would lead in a circle.
    Result<Alias> add_alias(std::string_view address, const std::vector<std::string>& targets, const Actor& actor);
    Result<Alias> set_alias(std::string_view address, const std::vector<std::string>& targets, const Actor& actor);
    // Removes TARGETS from the alias, or all of it where they are empty or the last.
    Status remove_alias(std::string_view address, const std::vector<std::string>& targets, const Actor& actor);

private:
    Directory();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// "Ann@A.TEST" to "ann@a.test": quotes that nothing needs removed, ASCII lower case, domain as A-labels.
// BadInput where it is not local-part@domain. "postmaster" alone is "postmaster@" (RFC 5321, 4.1.1.3).
Result<std::string> canonical_address(std::string_view address);
Result<std::string> canonical_domain(std::string_view domain);
// Stricter, for what gk creates: a local-part that is a safe file name, a domain of letters, digits and hyphens.
Result<std::string> canonical_account(std::string_view address);
std::string_view domain_of(std::string_view address) noexcept;      // after the last '@'
std::string_view local_part_of(std::string_view address) noexcept;  // before it
// PATHS.mail/DOMAIN/LOCAL-PART
std::string home_of(const config::Paths& paths, std::string_view canonical_address);

}  // namespace gk::directory
