// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <cerrno>

#include "common/imap/mailbox_name.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

namespace {

constexpr std::uint64_t kEnoughOutput = 128 * 1024;
constexpr std::uint32_t kRowsInATurn = 1000;

// The UID up to which the client has the messages that we have, so that nothing below it vanished without its knowledge
// (RFC 7162, 3.2.5.2). Only expunges change which UID has a number.
store::Uid matched_uid(const View& view, const std::pair<SequenceSet, SequenceSet>& matches) {
    store::Uid matched = 0;
    std::size_t at = 0;
    std::uint32_t offset = 0;  // in matches.second.ranges[at]
    for (const SequenceRange& numbers : matches.first.ranges) {
        for (std::uint32_t number = numbers.first; number <= numbers.last; ++number) {
            const SequenceRange& uids = matches.second.ranges[at];
            const store::Uid uid = uids.first + offset;
            if (number > view.exists() || view.rows()[number - 1].uid != uid) return matched;
            matched = uid;
            if (uid == uids.last) ++at, offset = 0;
            else ++offset;
        }
    }
    return matched;
}

}  // namespace

// What changed while the client was away (RFC 7162, 3.2.5): VANISHED (EARLIER), FETCHes, and the tagged answer.
struct Session::ResyncJob final : Session::Job {
    bool resume(Session& session) override;

    std::vector<store::UidRange> vanished;
    std::vector<IndexRange> changed;
    std::size_t range = 0;
    std::string_view answer;
};

bool Session::ResyncJob::resume(Session& session) {
    while (!vanished.empty()) {
        if (session.out_.waiting() >= kEnoughOutput) return false;
        session.tell_vanished_earlier(vanished);
    }
    for (std::uint32_t told = 0; range < changed.size(); ++range) {
        IndexRange& rows = changed[range];
        for (; rows.first <= rows.last; ++rows.first, ++told) {
            if (told == kRowsInATurn) return false;
            session.tell_flags(rows.first, true);
        }
    }
    session.shown_modseq_ = 0;
    session.reply(answer);
    return true;
}

// select = "SELECT" SP mailbox [SP select-params], examine = "EXAMINE" SP mailbox [SP select-params]: RFC 9051, 6.3.2
// and 6.3.3; RFC 3501, 6.3.1 and 6.3.2; CONDSTORE and QRESYNC: RFC 7162, 3.1.8 and 3.2.5. A failure leaves nothing
// selected.
void Session::on(const Select& select) {
    if (select.resync && !qresync_) return complain(tag_, "QRESYNC needs ENABLE QRESYNC");
    if (select.resync && select.resync->matches && !need_uid(false)) return;
    const bool had_selected = view_.has_value();
    deselect();
    if (had_selected) untagged("OK [CLOSED] The previous mailbox is closed");  // RFC 9051, 7.1; RFC 7162, 3.2.11
    const auto name = mailbox_named(select.mailbox);
    if (!name) return;
    auto mailbox = account_->mailbox(*name);
    if (!mailbox) return refuse(mailbox.error());
    std::optional<store::ModSeq> since;
    if (select.resync) since = select.resync->modseq;
    auto snapshot = mailbox->snapshot(!select.read_only, since);
    if (!snapshot) return refuse(snapshot.error());
    if (select.condstore) condstore_ = true;
    auto vanished = std::move(snapshot->vanished);
    const std::string id = std::move(snapshot->id);  // RFC 8474, 4.2
    view_.emplace(std::move(*mailbox), std::move(*snapshot), select.read_only);

    tell_flags_known();
    untagged(fmt::format("{} EXISTS", view_->exists()));
    if (!rev2_) {
        untagged(fmt::format("{} RECENT", view_->recent()));
        const auto& rows = view_->rows();
        const auto unseen =
            std::find_if(rows.begin(), rows.end(), [](const store::Row& row) { return !(row.flags & store::kSeen); });
        if (unseen != rows.end() && !uid_only_)
            untagged(fmt::format("OK [UNSEEN {}] The first unseen message", unseen - rows.begin() + 1));
    }
    untagged(fmt::format("OK [UIDVALIDITY {}] UIDs are valid", view_->uidvalidity()));
    untagged(fmt::format("OK [UIDNEXT {}] The next UID", view_->uidnext()));
    untagged(fmt::format("OK [MAILBOXID ({})] Its id, whatever its name", id));
    untagged(fmt::format("OK [HIGHESTMODSEQ {}] The highest mod-sequence", view_->modseq()));
    // Not one message more has room: RFC 9208, 4.3.1
    if (const Status room = account_->room_for(1, 1); !room && room.error().os_errno == EDQUOT)
        untagged("NO [OVERQUOTA] " + room.error().text);
    if (rev2_) {
        std::string& out = out_.text();
        out += "* LIST () \"/\" ";
        append_mailbox(out, *name, true);
        out += "\r\n";
    }
    const std::string_view answer = select.read_only ? "OK [READ-ONLY] Opened for reading" : "OK [READ-WRITE] Selected";
    if (!select.resync || select.resync->uidvalidity != view_->uidvalidity()) return reply(answer);
    resync(*select.resync, std::move(vanished), answer);
}

void Session::resync(const Resync& known, store::Vanished vanished, std::string_view answer) {
    auto job = std::make_unique<ResyncJob>();
    job->answer = answer;
    if (!vanished.exact && known.matches) {
        const store::Uid matched = matched_uid(*view_, *known.matches);
        if (matched < UINT32_MAX) vanished.ranges = common_ranges(vanished.ranges, {{matched + 1, UINT32_MAX}});
    }
    std::vector<IndexRange> rows;
    if (known.known_uids) {
        vanished.ranges = common_ranges(vanished.ranges, uid_ranges(*known.known_uids));
        rows = *view_->resolve(*known.known_uids, true, {});
    } else if (view_->exists() > 0) {
        rows.push_back({0, view_->exists() - 1});
    }
    // A mod-sequence that was never reached here says nothing.
    job->changed = view_->changed_since(known.modseq > view_->modseq() ? 0 : known.modseq, rows);
    job->vanished = std::move(vanished.ranges);
    job_ = std::move(job);
}

}  // namespace gk::imap
