// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/imap/session.hpp"

// What the client is told of the selected mailbox: flags, arrivals, expunges, mod-sequences.
namespace gk::imap {

namespace {

// 21 octets each: a line stays below the 64 KB that clients are known to read.
constexpr std::size_t kRangesInALine = 3000;

constexpr std::pair<store::Flags, std::string_view> kFlagNames[] = {{store::kAnswered, "\\Answered"},
                                                                    {store::kFlagged, "\\Flagged"},
                                                                    {store::kDeleted, "\\Deleted"},
                                                                    {store::kSeen, "\\Seen"},
                                                                    {store::kDraft, "\\Draft"}};

}  // namespace

void Session::tell_news(bool expunges, store::Look look) {
    if (!view_) return;
    const NotifyGroup* const group = watch_ ? watch_->selected() : nullptr;
    if (watch_ && group == nullptr) {
        // RFC 5465, 6.1: no news are wanted, so the client's numbers stay as they are. But that the mailbox is there.
        if (const auto status = view_->mailbox().status(); !status && status.error().code == Errc::NotFound)
            bye("The selected mailbox was deleted");
        return;
    }
    auto changes = view_->mailbox().changes_since(view_->modseq(), look);
    if (!changes) {
        // A mailbox that is gone leaves nothing to talk about; as Dovecot does, and clients expect. What passes is
        // looked at again with the next command.
        if (changes.error().code == Errc::NotFound) bye("The selected mailbox was deleted");
        return;
    }
    const std::uint32_t known = view_->exists();
    const View::News news = view_->apply(std::move(*changes), condstore_);
    if (news.keywords) tell_flags_known();
    // An EXPUNGE moves the rows behind it, so what has changed is told first, under the numbers that the client knows.
    if (group != nullptr && !group->flags && !news.changed.empty()) view_->hold_modseq();
    else
        for (const std::uint32_t index : news.changed) tell_flags(index, rev2_ || qresync_);
    const store::Uid first_new = news.grown ? view_->rows()[known].uid : 0;
    const bool vanished = expunges && view_->has_vanished();
    if (vanished) tell_vanished();
    if (news.grown) {
        untagged(fmt::format("{} EXISTS", view_->exists()));
        if (!rev2_) untagged(fmt::format("{} RECENT", view_->recent()));
    }
    if (!contexts_.empty()) contexts_.update(out_.text(), *view_, to_unix_s(options_.now()));
    if (group != nullptr && news.grown && !group->fetch.empty()) fetch_new(*group, first_new);
    // A VANISHED has no mod-sequence of its own.
    if (vanished && qresync_) untagged(fmt::format("OK [HIGHESTMODSEQ {}] All is told", view_->told_modseq()));
}

void Session::tell_vanished() {
    std::string& out = out_.text();
    contexts_.before_expunge(out, *view_);
    if (!qresync_ && !uid_only_) {
        view_->expunge([&](std::uint32_t sequence, store::Uid) {
            fmt::format_to(std::back_inserter(out), "* {} EXPUNGE\r\n", sequence);
        });
        return;
    }
    std::vector<store::Uid> uids;
    view_->expunge([&](std::uint32_t, store::Uid uid) { uids.push_back(uid); });
    if (uids.empty()) return;
    out += "* VANISHED ";
    append_uid_set(out, uids);
    out += "\r\n";
}

void Session::tell_vanished_earlier(std::vector<store::UidRange>& ranges) {
    if (ranges.empty()) return;
    const auto end = ranges.begin() + static_cast<std::ptrdiff_t>(std::min(kRangesInALine, ranges.size()));
    std::string& out = out_.text();
    out += "* VANISHED (EARLIER) ";
    append_uid_ranges(out, std::span(ranges.begin(), end));
    out += "\r\n";
    ranges.erase(ranges.begin(), end);
}

void Session::append_flags(std::string& out, const store::Row& row) const {
    out += '(';
    const std::size_t begin = out.size();
    const auto add = [&](std::string_view name) {
        if (out.size() > begin) out += ' ';
        out += name;
    };
    for (const auto& [bit, name] : kFlagNames)
        if (row.flags & bit) add(name);
    if (!rev2_ && view_->is_recent(row)) add("\\Recent");
    const auto& keywords = view_->keywords();
    for (std::size_t i = 0; i < keywords.size(); ++i)
        if (row.keywords >> i & 1 && !keywords[i].empty()) add(keywords[i]);
    out += ')';
}

// RFC 9586, 3.3: where only UIDs are spoken, UIDFETCH has the UID in the number's place.
void Session::begin_fetch(std::string& out, std::uint32_t index) const {
    if (uid_only_) fmt::format_to(std::back_inserter(out), "* {} UIDFETCH (", view_->rows()[index].uid);
    else fmt::format_to(std::back_inserter(out), "* {} FETCH (", index + 1);
}

void Session::append_modseq(std::string& out, const store::Row& row) {
    fmt::format_to(std::back_inserter(out), "MODSEQ ({})", row.modseq);
    shown_modseq_ = std::max(shown_modseq_, row.modseq);
}

void Session::tell_flags(std::uint32_t index, bool with_uid, bool with_flags) {
    const store::Row& row = view_->rows()[index];
    std::string& out = out_.text();
    begin_fetch(out, index);
    if (with_uid && !uid_only_) fmt::format_to(std::back_inserter(out), "UID {} ", row.uid);
    if (with_flags) {
        out += "FLAGS ";
        append_flags(out, row);
    }
    if (condstore_) {
        if (with_flags) out += ' ';
        append_modseq(out, row);
    }
    out += ")\r\n";
}

// RFC 3501, 7.2.6 and 7.1 (PERMANENTFLAGS)
void Session::tell_flags_known() {
    std::string known = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";
    std::size_t keywords = 0;
    for (const std::string& keyword : view_->keywords()) {
        if (keyword.empty()) continue;
        known += ' ' + keyword;
        ++keywords;
    }
    untagged(fmt::format("FLAGS ({})", known));
    if (view_->read_only()) untagged("OK [PERMANENTFLAGS ()] Read-only mailbox");
    else
        untagged(fmt::format("OK [PERMANENTFLAGS ({}{})] Flags permitted", known,
                             keywords < store::kMaxKeywords ? " \\*" : ""));
}

void Session::enable_condstore() {
    if (condstore_) return;
    condstore_ = true;
    if (view_) untagged(fmt::format("OK [HIGHESTMODSEQ {}] Mod-sequences are told from now on", view_->told_modseq()));
}

store::ModSeq Session::highest_modseq(const std::vector<store::Uid>& uids) const {
    store::ModSeq highest = 0;
    for (const store::Uid uid : uids)
        if (const auto index = view_->find(uid)) highest = std::max(highest, view_->rows()[*index].modseq);
    return highest;
}

void Session::reply_with_modseq(std::string_view status_and_text, store::ModSeq modseq) {
    const std::size_t space = status_and_text.find(' ');
    const std::string_view text = status_and_text.substr(space + 1);
    if (!text.starts_with('['))
        return reply(fmt::format("{} [HIGHESTMODSEQ {}] {}", status_and_text.substr(0, space), modseq, text));
    // An answer has room for one response code.
    untagged(fmt::format("OK [HIGHESTMODSEQ {}] Ask for what happened since", modseq));
    reply(status_and_text);
}

std::optional<store::FlagUpdate> flag_update(const std::vector<std::string>& flags) {
    store::FlagUpdate update;
    for (const std::string& flag : flags) {
        if (flag[0] != '\\') {
            if (std::find(update.keywords.begin(), update.keywords.end(), flag) == update.keywords.end())
                update.keywords.push_back(flag);
            continue;
        }
        bool known = text::equals_nocase(flag, "\\Recent");  // RFC 3501, 2.3.2: not for clients to alter
        for (const auto& [bit, name] : kFlagNames) {
            if (flag != name) continue;
            update.flags = static_cast<store::Flags>(update.flags | bit);
            known = true;
        }
        if (!known) return std::nullopt;
    }
    return update;
}

}  // namespace gk::imap
