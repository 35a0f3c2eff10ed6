// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "cmd/gk-mailbox/gk_mailbox.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/os/file.hpp"
#include "common/store/check.hpp"
#include "common/store/mailbox.hpp"

namespace gk::mailbox_tool {

namespace {

// Out of the way, not removed: whoever wants to know what was wrong can look.
Status set_index_aside(const std::string& home) {
    const std::string path = home + "/index.db";
    if (!os::exists(path)) return ok();
    GK_CHECK(os::rename(path, path + ".damaged"));
    for (const char* suffix : {"-wal", "-shm"})
        if (os::exists(path + suffix)) GK_CHECK(os::unlink(path + suffix));
    return ok();
}

struct Doomed {
    std::string account, mailbox;
    std::vector<store::Uid> uids;
};

Result<std::vector<store::Uid>> matching(const Arguments& arguments, std::int64_t before_s, store::Mailbox& mailbox) {
    GK_TRY(const auto snapshot, mailbox.snapshot(false));
    std::vector<store::Uid> uids;
    for (const auto& row : snapshot.rows) {
        if (before_s != 0 && row.saved_date >= before_s) continue;
        if (arguments.only_deleted && (row.flags & store::kDeleted) == 0) continue;
        if (arguments.only_seen && (row.flags & store::kSeen) == 0) continue;
        uids.push_back(row.uid);
    }
    return uids;
}

}  // namespace

int check(const Arguments& arguments) {
    bool found = false;
    cli::Rows rows(arguments.json, {"account", "mailbox", "kind", "text", "mends"});
    const int code = for_each(arguments, [&](const Chosen& chosen, store::Account& account) {
        return store::check(account, arguments.files, [&](const store::Finding& finding) {
            found = true;
            rows.add({chosen.name, finding.mailbox, finding.kind, finding.text, finding.mends});
        });
    });
    return code != 0 ? code : found ? 1 : 0;
}

int repair(const Arguments& arguments) {
    const auto chosen = choose(arguments);
    if (!chosen) return refuse(chosen.error());
    int code = 0;
    for (const auto& one : *chosen) {
        const auto run = [&]() -> Status {
            bool damaged = arguments.rebuild;
            if (!damaged) {
                GK_TRY(const auto account, open(arguments, one));
                GK_CHECK(store::check(*account, false, [&](const store::Finding& finding) {
                    damaged |= finding.kind == "damaged-index";
                }));
            }
            if (damaged) GK_CHECK(set_index_aside(one.home));
            GK_TRY(const auto account, open(arguments, one));
            GK_CHECK(store::repair(*account));
            // What is left is for people to look at.
            bool left = false;
            cli::Rows rows(arguments.json, {"account", "mailbox", "kind", "text", "mends"});
            GK_CHECK(store::check(*account, arguments.files, [&](const store::Finding& finding) {
                left = true;
                rows.add({one.name, finding.mailbox, finding.kind, finding.text, finding.mends});
            }));
            if (left && code == 0) code = 1;
            return ok();
        };
        if (const Status done = run(); !done) code = cli::fail(done.error());
    }
    return code;
}

int expunge(const Arguments& arguments) {
    std::int64_t before_s = 0;
    if (!arguments.older_than.empty()) {
        const auto age = text::to_duration_s(arguments.older_than);
        if (!age || *age < 0) return cli::usage(fmt::format("'{}' is not an age such as 30d", arguments.older_than));
        before_s = to_unix_s(now()) - *age;
    } else if (!arguments.only_deleted) {
        return cli::usage("expunge needs --older-than, --deleted, or both");
    }
    std::vector<Doomed> doomed;
    std::size_t count = 0;
    int code = for_each(arguments, [&](const Chosen& chosen, store::Account& account) -> Status {
        for (const auto& name : arguments.mailboxes) {
            auto mailbox = account.mailbox(name);
            // Not everybody has every mailbox.
            if (!mailbox && mailbox.error().code == Errc::NotFound && arguments.all) continue;
            if (!mailbox) return fail(mailbox.error().in(chosen.name));
            GK_TRY(auto uids, matching(arguments, before_s, *mailbox));
            count += uids.size();
            if (!uids.empty()) doomed.push_back({chosen.name, mailbox->name(), std::move(uids)});
        }
        return ok();
    });
    cli::Rows rows(arguments.json, {"account", "mailbox", "messages", "expunged"});
    const auto add = [&](const Doomed& one, std::size_t messages, bool done) {
        rows.add({one.account, one.mailbox, static_cast<std::int64_t>(messages), done});
    };
    if (arguments.dry_run || count == 0) {
        for (const auto& one : doomed) add(one, one.uids.size(), false);
        return code;
    }
    if (!cli::confirm(fmt::format("expunge {} messages for good?", count), arguments.yes))
        return cli::usage("nothing was expunged: say --yes");
    const int failed = for_each(arguments, [&](const Chosen& chosen, store::Account& account) -> Status {
        for (const auto& one : doomed) {
            if (one.account != chosen.name) continue;
            GK_TRY(auto mailbox, account.mailbox(one.mailbox));
            GK_TRY(const auto gone, mailbox.remove(one.uids));
            add(one, gone.uids.size(), true);
        }
        return ok();
    });
    return code != 0 ? code : failed;
}

}  // namespace gk::mailbox_tool
