// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/resource.h>
#include <algorithm>

#include "cmd/gk-search/gk_search.hpp"
#include "common/cli/cli.hpp"
#include "common/store/mailbox.hpp"

namespace gk::search_tool {

namespace {

// Messages in one transaction: a second's work at most, so that a session that adds some itself need not wait long.
constexpr std::size_t kBatch = 200;
constexpr int kNice = 10;  // work of others goes first

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

struct Sums {
    std::size_t added = 0;
    bool full = false;
};

Status index_one(const Opened& opened, Sums& sums) {
    GK_TRY(auto index, search::Index::open(opened.home, opened.options));
    GK_CHECK(index.retry_unreadable());
    GK_CHECK(index.sync(*opened.account));
    GK_TRY(const auto before, index.status());
    {
        cli::Progress progress(opened.name, before.waiting);
        GK_CHECK(take_in(index, opened, 0, [&](std::size_t through) {
            sums.added += through;
            progress.advance(through);
        }));
    }
    GK_CHECK(index.forget_lost());
    for (;;) {
        GK_TRY(const auto moved, index.compact(*opened.account, kBatch));
        if (moved == 0) break;
    }
    sums.full = index.is_full();
    return ok();
}

using Found = std::function<void(const std::string& mailbox, const std::string& kind, const std::string& text)>;

Status check_mailbox(search::Index& index, store::Account& account, const std::string& name, const Found& found) {
    GK_TRY(auto mailbox, account.mailbox(name));
    GK_TRY(const auto box, index.known(mailbox));
    GK_TRY(const auto snapshot, mailbox.snapshot(false));
    std::vector<search::Place> places;
    if (box != 0) {
        GK_TRY(places, index.places(box));
    }
    std::size_t missing = 0, unreadable = 0, gone = 0;
    auto place = places.begin();
    for (const auto& row : snapshot.rows) {
        for (; place != places.end() && place->uid < row.uid; ++place) ++gone;
        if (place == places.end() || place->uid != row.uid) {
            ++missing;
            continue;
        }
        if (place->document == 0) ++missing;
        if (place->document < 0) ++unreadable;
        ++place;
    }
    gone += static_cast<std::size_t>(places.end() - place);
    if (missing > 0) found(name, "missing", fmt::format("{} messages are not in the index", missing));
    if (unreadable > 0) found(name, "unreadable", fmt::format("{} messages could not be read", unreadable));
    if (gone > 0) found(name, "gone", fmt::format("{} messages in the index are not in the mailbox any more", gone));
    return ok();
}

Status check_one(const Opened& opened, const Found& found) {
    if (!search::Index::exists(opened.home)) {
        found("", "no-index", "there is no index");
        return ok();
    }
    GK_TRY(auto index, search::Index::open(opened.home, opened.options));
    GK_TRY(const auto damage, index.damage());
    if (!damage.empty()) {
        found("", "damaged", damage);
        return ok();
    }
    GK_TRY(const auto entries, opened.account->list());
    for (const auto& entry : entries)
        if (entry.exists) GK_CHECK(check_mailbox(index, *opened.account, entry.name, found));
    GK_TRY(const auto status, index.status());
    if (status.only_headers > 0)
        found(
            "", "only-headers",
            fmt::format("{} messages are found by their headers only, since the index was full", status.only_headers));
    return ok();
}

}  // namespace

Status take_in(search::Index& index, const Opened& opened, std::size_t most,
               const std::function<void(std::size_t)>& advance) {
    // Looks into every mailbox, without which there is no knowing how much mail there is.
    GK_CHECK(index.sync(*opened.account));
    GK_CHECK(index.set_limit(*opened.account));
    GK_TRY(const auto entries, opened.account->list());
    std::size_t through = 0;
    for (const auto& entry : entries) {
        if (!entry.exists) continue;
        auto mailbox = opened.account->mailbox(entry.name);
        if (!mailbox && mailbox.error().code == Errc::NotFound) continue;  // deleted meanwhile
        if (!mailbox) return fail(mailbox.error());
        GK_TRY(const auto box, index.sync(*mailbox));
        while (most == 0 || through < most) {
            GK_TRY(const auto added, index.add(*mailbox, box, most == 0 ? kBatch : std::min(kBatch, most - through)));
            if (added == 0) break;
            through += added;
            advance(added);
        }
    }
    return ok();
}

int index(const Arguments& arguments) {
    // Others' work goes first; whoever may not give way works on all the same.
    static_cast<void>(::setpriority(PRIO_PROCESS, 0, kNice));
    cli::Rows rows(arguments.json, {"account", "added", "messages", "unreadable", "only_headers", "bytes", "full"});
    return for_each(arguments, [&](const Opened& opened) -> Status {
        Sums sums;
        auto done = index_one(opened, sums);
        if (!done && done.error().code == Errc::Permanent) {
            fmt::print(stderr, "gk-search: {}: the index is damaged, and is made anew\n", opened.name);
            GK_CHECK(search::Index::discard(opened.home));
            sums = {};
            done = index_one(opened, sums);
        }
        GK_CHECK(done);
        GK_TRY(auto index, search::Index::open(opened.home, opened.options));
        GK_TRY(const auto status, index.status());
        rows.add({opened.name, number(sums.added), number(status.messages), number(status.unreadable),
                  number(status.only_headers), number(status.bytes), sums.full});
        return ok();
    });
}

int check(const Arguments& arguments) {
    bool any = false;
    cli::Rows rows(arguments.json, {"account", "mailbox", "kind", "text"});
    const int code = for_each(arguments, [&](const Opened& opened) {
        return check_one(opened, [&](const std::string& mailbox, const std::string& kind, const std::string& text) {
            any = true;
            rows.add({opened.name, mailbox, kind, text});
        });
    });
    return code != 0 ? code : any ? 1 : 0;
}

int drop(const Arguments& arguments) {
    return for_each(arguments, [](const Opened& opened) { return search::Index::discard(opened.home); });
}

}  // namespace gk::search_tool
