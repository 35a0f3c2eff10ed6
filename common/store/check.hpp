// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/store/account.hpp"

// Finds where an account's files, uidlists and index disagree, without changing anything; and mends it. Never removes a
// message.
namespace gk::store {

struct Finding {
    std::string mailbox;  // empty: the account
    std::string kind;     // stable, for programs: "missing-file"
    std::string text;     // for people
    bool mends = true;    // repair() mends it
};

// Each is told as it is found. Kinds: damaged-index, unknown-mailbox, missing-mailbox, no-uidlist, damaged-uidlist,
// uidvalidity, uid, unlisted, missing-file, unknown-file, flags, size, twice, counters, keyword-name, ceiling,
// ignored-file, stale-tmp. FILES: compare sizes with the files' own (one stat each), and read those whose names do not
// tell.
Status check(Account& account, bool files, const std::function<void(const Finding&)>& found);

// Looks at every directory, writes index, uidlists and gk-state anew from what is there, and removes what deliveries
// that died left in tmp/ more than 36 hours ago.
Status repair(Account& account);

// For a Maildir that another server kept: special uses for mailboxes with well-known names, where none has that use
// yet. Returns what it gave, as (mailbox, special use).
Result<std::vector<std::pair<std::string, std::string>>> adopt_special_uses(Account& account);

}  // namespace gk::store
