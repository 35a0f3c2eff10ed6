// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/imap/fields.hpp"
#include "common/imap/session.hpp"

// A session that lies down in one process and gets up in another. No UID is written down: the store knows which
// messages there were at a mod-sequence, as long as its history of expunges reaches back that far.
namespace gk::imap {

namespace {

// FNV-1a: to see whether the client knows these names, not to keep anybody from anything.
std::uint64_t fingerprint(const std::vector<std::string>& keywords) {
    std::uint64_t hash = 14695981039346656037u;
    const auto add = [&](unsigned char c) { hash = (hash ^ c) * 1099511628211u; };
    for (const std::string& keyword : keywords) {
        for (const char c : keyword) add(static_cast<unsigned char>(c));
        add(0);
    }
    return hash;
}

bool same_uids(const store::Rows& a, const store::Rows& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const store::Row& x, const store::Row& y) { return x.uid == y.uid; });
}

}  // namespace

// Whatever a session learns to keep between two commands is written down here, or keeps it awake.
std::optional<std::string> Session::put_to_sleep() {
    if (closed_ || job_ || appending_ || more_ || state_ == State::Appending || !reader_.at_command_start() ||
        !out_.empty() || !saved_.empty() || watch_ || !contexts_.empty() || compressing_ != Compressing::No)
        return std::nullopt;
    std::string state = fmt::format("SLEEPING\trev2={}\tutf8={}\tcondstore={}\tqresync={}\tuidonly={}\tidle={}\ttag={}",
                                    rev2_ ? 1 : 0, utf8_accept_ ? 1 : 0, condstore_ ? 1 : 0, qresync_ ? 1 : 0,
                                    uid_only_ ? 1 : 0, idling() ? 1 : 0, idling() ? text::percent_encode(tag_) : "");
    if (!view_) return state;
    if (view_->has_vanished()) return std::nullopt;
    const store::Mailbox::Known known{view_->uidvalidity(), view_->uidnext(), view_->modseq(), view_->exists()};
    // Asked now, while it can still stay.
    const auto recalled = view_->mailbox().recall(known, !view_->read_only());
    if (!recalled || !same_uids(recalled->rows, view_->rows())) return std::nullopt;
    fmt::format_to(
        std::back_inserter(state),
        "\tmailbox={}\treadonly={}\tuidvalidity={}\tuidnext={}\tmodseq={}\texists={}\trecent={}\tkeywords={}",
        text::percent_encode(view_->name()), view_->read_only() ? 1 : 0, known.uidvalidity, known.uidnext, known.modseq,
        known.exists, view_->recent_floor(), fingerprint(view_->keywords()));
    return state;
}

Status Session::wake(std::string_view state) {
    std::string mailbox;
    store::Mailbox::Known known;
    store::Uid recent_floor = 1;
    std::uint64_t keywords = 0;
    bool read_only = false, idle = false;
    const bool good = read_fields(state, "SLEEPING", [&](std::string_view key, std::string value) {
        const std::uint64_t number = text::to_uint(value).value_or(0);
        const auto small = static_cast<std::uint32_t>(number);
        if (key == "mailbox") mailbox = std::move(value);
        else if (key == "tag") tag_ = std::move(value);
        else if (key == "rev2") rev2_ = number == 1;
        else if (key == "utf8") utf8_accept_ = number == 1;
        else if (key == "condstore") condstore_ = number == 1;
        else if (key == "qresync") qresync_ = number == 1;
        else if (key == "uidonly") uid_only_ = number == 1;
        else if (key == "idle") idle = number == 1;
        else if (key == "readonly") read_only = number == 1;
        else if (key == "uidvalidity") known.uidvalidity = small;
        else if (key == "uidnext") known.uidnext = small;
        else if (key == "modseq") known.modseq = number;
        else if (key == "exists") known.exists = small;
        else if (key == "recent") recent_floor = small;
        else if (key == "keywords") keywords = number;
    });
    if (!good) return fail(Errc::BadInput, "malformed state of a sleeping session");
    utf8_ = rev2_ || utf8_accept_;
    if (idle) {
        state_ = State::Idling;
        reader_.expect_raw_line(true);
    }
    if (mailbox.empty()) return ok();
    auto again = account_->mailbox(mailbox);
    auto snapshot = again ? again->recall(known, !read_only) : Result<store::Snapshot>(fail(again.error()));
    if (!snapshot) {
        bye("[UNAVAILABLE] The mailbox is not what it was, connect again");
        return fail(snapshot.error());
    }
    const bool differ = fingerprint(snapshot->keywords) != keywords;
    view_.emplace(std::move(*again), std::move(*snapshot), read_only);
    view_->go_on(recent_floor, differ);
    if (idle) tell_news(true);
    return ok();
}

}  // namespace gk::imap
