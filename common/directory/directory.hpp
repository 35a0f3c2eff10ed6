// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
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

// What makes an alias a simple mailing list.
struct List {
    std::string owner;             // gets what its members' servers report; the reverse-path of its copies
    std::string post = "members";  // who may write to it: words "anyone", "members", "owner", ADDRESS, @DOMAIN
    std::string name;              // for people; may be empty
    bool operator==(const List&) const = default;
};

struct Alias {
    std::int64_t id = 0;
    // "sales@a.test"; "@a.test" for the catch-all; "ann+*@a.test" for every sub-address of ann's, "*+spam@a.test" for
    // that one of everybody's; "/PATTERN/@a.test" for the local-parts that the regular expression (RE2) matches whole.
    std::string address;
    std::string tenant;
    std::vector<std::string> targets;  // those of a pattern may name its groups in the local-part: "\\1@b.test"
    std::int64_t created_s = 0;
    std::optional<List> list;
};

// What an alias shall be.
struct NewAlias {
    std::string address;
    std::vector<std::string> targets;
    std::optional<List> list;
};

// Another name of a domain of ours: what is there is here, by the same local-part.
struct DomainAlias {
    std::string name, domain;
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
    std::vector<std::string> lists;     // mailing lists, whose members get a message of the list's own: members_of()
    bool through_alias = false;
};

// Every step of a recipient's way, as resolve() and the lists after it go.
struct Expansion {
    std::string address;
    // "account", "external", "alias", "sub-address" (a rule), "pattern", "catch-all", "list", "postmaster"; and, where
    // it ends: "nobody", "not-local", "circle", "again" (what it leads to stands above already).
    std::string how = "nobody";
    std::string by;  // the alias or rule that matched, or the account, where it is not ADDRESS itself
    std::string detail;
    std::vector<Expansion> leads_to;
};

struct Limits {
    int alias_depth = 20;
    int alias_size = 10'000;
    int patterns = 1000;          // of one domain
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

    // Where a list's mail goes. NotFound where there is no list of that address.
    Result<Resolution> members_of(std::string_view list);
    Result<bool> may_post(const Alias& list, std::string_view reverse_path);
    // The whole tree; as resolve(), but an error stands in the tree where it happened, and ends it.
    Result<Expansion> expand(std::string_view recipient);

    // Lists, sorted by name; an empty DOMAIN for all.
    Result<std::vector<Domain>> domains();
    Result<std::vector<Account>> accounts(std::string_view domain = "");
    Result<std::vector<Alias>> aliases(std::string_view domain = "");
    // The same, one after the other, however many they are.
    Status each_alias(std::string_view domain, const std::function<Status(const Alias&)>& visit);
    Result<std::vector<DomainAlias>> domain_aliases(std::string_view domain = "");
    Result<std::optional<Domain>> find_domain(std::string_view name);
    Result<std::optional<Alias>> find_alias(std::string_view address);

    // Changes; each is one transaction that also writes the audit row. Durable on return.
    Result<Domain> add_domain(std::string_view name, const Actor& actor);
    Status set_domain_quota(std::string_view name, const Quota& quota, const Actor& actor);
    // Denied while it has accounts, or other names; or aliases, unless they are to go WITH_ALIASES.
    Status remove_domain(std::string_view name, const Actor& actor, bool with_aliases = false);
    Status add_domain_alias(std::string_view name, std::string_view domain, const Actor& actor);
    Status remove_domain_alias(std::string_view name, const Actor& actor);
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
    Result<Alias> set_alias(const NewAlias& wanted, const Actor& actor);
    struct ApplyOptions {
        bool dry_run = false;
        bool prune = false;  // remove aliases that are not declared, of the domains that are
    };
    struct Applied {
        std::int64_t added = 0, changed = 0, removed = 0, same = 0;
    };
    // Makes all that NEXT gives, until it gives none, in one transaction: all of it or, at the first error, nothing.
    // SAY, where given, is told of each change.
    Result<Applied> apply_aliases(const std::function<Result<std::optional<NewAlias>>()>& next,
                                  const ApplyOptions& options, const Actor& actor,
                                  const std::function<void(const std::string&)>& say = {});
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
// An alias's own address, in any of the forms of Alias::address.
Result<std::string> canonical_alias(std::string_view address);
std::string_view domain_of(std::string_view address) noexcept;      // after the last '@'
std::string_view local_part_of(std::string_view address) noexcept;  // before it
// PATHS.mail/DOMAIN/LOCAL-PART
std::string home_of(const config::Paths& paths, std::string_view canonical_address);

}  // namespace gk::directory
