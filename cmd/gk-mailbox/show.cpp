// SPDX-License-Identifier: MIT
#include "cmd/gk-mailbox/gk_mailbox.hpp"
#include "common/cli/cli.hpp"
#include "common/store/check.hpp"

namespace gk::mailbox_tool {

namespace {

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

// The mailboxes that were named, or all there are.
Result<std::vector<std::string>> named_or_all(const Arguments& arguments, store::Account& account) {
    if (!arguments.mailboxes.empty()) return arguments.mailboxes;
    GK_TRY(const auto entries, account.list());
    std::vector<std::string> names;
    for (const auto& entry : entries)
        if (entry.exists) names.push_back(entry.name);
    return names;
}

Status add_status(cli::Rows& rows, const std::string& account_name, store::Account& account,
                  const std::string& mailbox) {
    GK_TRY(const auto status, account.status(mailbox));
    rows.add({account_name, store::canonical_name(mailbox), number(status.messages), number(status.unseen),
              number(status.deleted), number(status.size), number(status.uidnext), number(status.uidvalidity),
              number(status.highest_modseq)});
    return ok();
}

const std::vector<std::string> kStatusColumns = {"account", "mailbox", "messages",    "unseen", "deleted",
                                                 "size",    "uidnext", "uidvalidity", "modseq"};

}  // namespace

int list(const Arguments& arguments) {
    cli::Rows rows(arguments.json, {"account", "mailbox", "special_use", "subscribed", "exists"});
    return for_each(arguments, [&](const Chosen& chosen, store::Account& account) -> Status {
        GK_TRY(const auto entries, account.list());
        for (const auto& entry : entries)
            rows.add({chosen.name, entry.name, entry.special_use, entry.subscribed, entry.exists});
        return ok();
    });
}

int status(const Arguments& arguments) {
    cli::Rows rows(arguments.json, kStatusColumns);
    return for_each(arguments, [&](const Chosen& chosen, store::Account& account) -> Status {
        GK_TRY(const auto names, named_or_all(arguments, account));
        for (const auto& name : names) GK_CHECK(add_status(rows, chosen.name, account, name));
        return ok();
    });
}

int adopt(const Arguments& arguments) {
    cli::Rows rows(arguments.json, kStatusColumns);
    return for_each(arguments, [&](const Chosen& chosen, store::Account& account) -> Status {
        GK_CHECK(account.reconcile(true));
        if (const auto uses = store::adopt_special_uses(account); !uses) return fail(uses.error());
        GK_TRY(const auto names, named_or_all(arguments, account));
        for (const auto& name : names) GK_CHECK(add_status(rows, chosen.name, account, name));
        return ok();
    });
}

}  // namespace gk::mailbox_tool
