// SPDX-License-Identifier: MIT
#include <algorithm>

#include "cmd/gk-spam/gk_spam.hpp"
#include "common/cli/cli.hpp"
#include "common/directory/homes.hpp"
#include "common/os/owner.hpp"
#include "common/spam/pending.hpp"
#include "common/store/account.hpp"
#include "common/store/mailbox.hpp"

namespace gk::spam_tool {

namespace {

constexpr std::size_t kBatch = 200;

Status learn_one(const Place& place, const directory::Home& home, const spam::Table& shared, spam::LearnCount& sum) {
    store::AccountOptions options;
    options.name = home.account;
    GK_TRY(const auto account, store::Account::open(home.path, options));
    GK_TRY(auto model, spam::Model::open(home.path, spam::account_options(place.config)));
    const auto limits = spam::feature_limits(place.config);
    const auto learn = [&](std::vector<spam::Sample>& samples) -> Status {
        GK_TRY(const auto count, model.learn(samples, {.beside = &shared}));
        sum.learned += count.learned;
        sum.known += count.known;
        sum.doubtful += count.doubtful;
        samples.clear();
        return ok();
    };
    return spam::take_pending(home.path, [&](const spam::Pending& pending) -> Status {
        // Moved on, expunged or renamed since: what is not there any more cannot be learned.
        auto mailbox = account->mailbox(pending.mailbox);
        if (!mailbox) return mailbox.error().code == Errc::NotFound ? ok() : Status(fail(mailbox.error()));
        GK_TRY(const auto status, mailbox->status());
        if (status.uidvalidity != pending.uidvalidity) return ok();
        std::vector<store::Uid> uids(pending.uids.begin(), pending.uids.end());
        std::sort(uids.begin(), uids.end());
        uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
        std::vector<spam::Sample> samples;
        for (const store::Uid uid : uids) {
            const auto message = mailbox->open(uid);
            if (!message && message.error().code == Errc::NotFound) continue;
            if (!message) return fail(message.error());
            auto features = spam::features_of(message->file.bytes(), limits);
            const auto identity = spam::identity_of(features);
            samples.push_back({identity, pending.spam, std::move(features)});
            if (samples.size() >= kBatch) GK_CHECK(learn(samples));
        }
        return samples.empty() ? ok() : learn(samples);
    });
}

Result<std::vector<directory::Home>> homes_of(const Arguments& a, const Place& place) {
    if (a.account.empty()) return directory::homes_with_mail(place.config.paths());
    return std::vector<directory::Home>{{a.account, place.own}};
}

}  // namespace

int learn_pending(const Arguments& a) {
    if (!a.home.empty()) return cli::usage("--pending is about accounts, not --home");
    const auto place = place_of(a);
    if (!place) return failed(place.error());
    const auto homes = homes_of(a, *place);
    if (!homes) return cli::fail(homes.error());
    spam::Table shared;
    if (auto table = spam::Table::open(spam::Model::table_path(place->shared))) shared = std::move(*table);
    spam::LearnCount sum;
    int code = 0;
    for (const auto& home : *homes) {
        if (!spam::has_pending(home.path)) continue;
        const Status done = learn_one(*place, home, shared, sum);
        if (done) continue;
        const int each = cli::fail(done.error().in(home.account));
        if (code == 0) code = each;
    }
    cli::Rows rows(a.json, {"learned", "known", "doubtful"});
    rows.add({static_cast<std::int64_t>(sum.learned), static_cast<std::int64_t>(sum.known),
              static_cast<std::int64_t>(sum.doubtful)});
    return code;
}

}  // namespace gk::spam_tool
