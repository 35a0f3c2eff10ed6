// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/imap/grammar/command.hpp"
#include "common/store/mailbox.hpp"

namespace gk::imap {

// Indices into View::rows(), first to last, both included.
struct IndexRange {
    std::uint32_t first = 0, last = 0;
};

// The selected mailbox as the client was told of it: sequence number n is row n-1. Rows of messages that vanished
// stay until the client may be told (RFC 3501, 7.4.1).
class View {
public:
    View(store::Mailbox mailbox, store::Snapshot snapshot, bool read_only);
    // A view that goes on after its session slept, from Mailbox::recall(). Its rows are newer than what the client
    // knows, so the next apply() names all that it brings; with KEYWORDS_DIFFER, the keywords too.
    void go_on(store::Uid recent_floor, bool keywords_differ) noexcept;
    store::Uid recent_floor() const noexcept { return recent_floor_; }

    store::Mailbox& mailbox() noexcept { return mailbox_; }
    const store::Mailbox& mailbox() const noexcept { return mailbox_; }
    const std::string& name() const noexcept { return mailbox_.name(); }
    bool read_only() const noexcept { return read_only_; }
    std::uint32_t uidvalidity() const noexcept { return uidvalidity_; }
    store::Uid uidnext() const noexcept { return uidnext_; }
    store::ModSeq modseq() const noexcept { return modseq_; }
    // Up to here the client was told of everything: what vanished and may not be told yet holds it back.
    store::ModSeq told_modseq() const noexcept { return held_modseq_ ? *held_modseq_ : told_modseq_; }
    // From now on it stays where it was before the last apply(): flags have changed that the client is not told of.
    void hold_modseq() noexcept {
        if (!held_modseq_) held_modseq_ = before_modseq_;
    }
    const std::vector<std::string>& keywords() const noexcept { return keywords_; }
    const store::Rows& rows() const noexcept { return rows_; }
    std::uint32_t exists() const noexcept { return static_cast<std::uint32_t>(rows_.size()); }
    std::uint32_t recent() const noexcept;
    bool is_recent(const store::Row& row) const noexcept { return row.uid >= recent_floor_; }

    // Where the row of UID is, if the client knows it.
    std::optional<std::uint32_t> find(store::Uid uid) const noexcept;
    // SET as ranges of rows, sorted and disjoint. UIDs that do not exist are passed over; a sequence number that
    // does not exist gives nothing at all: BAD. SAVED is what "$" stands for.
    std::optional<std::vector<IndexRange>> resolve(const SequenceSet& set, bool uid,
                                                   const std::vector<store::Uid>& saved) const;
    std::vector<store::Uid> uids_of(const std::vector<IndexRange>& ranges) const;
    // Those rows of RANGES that changed after MODSEQ.
    std::vector<IndexRange> changed_since(store::ModSeq modseq, const std::vector<IndexRange>& ranges) const;
    // RANGES but for UIDs that the client was told of and not told to be gone.
    std::vector<store::UidRange> without_rows(const std::vector<store::UidRange>& ranges) const;

    // What a look at the store brought. Flags of known rows are taken over; the rest waits for what tells it.
    struct News {
        std::vector<std::uint32_t> changed;  // indices of rows whose flags (or mod-sequence) the client has not seen
        bool grown = false;                  // rows were added
        bool keywords = false;               // a keyword got its first message
    };
    News apply(store::Changes changes, bool with_modseq);
    // The result of an own STORE for one row: taken over; true when it is not what EXPECTED says.
    void replace_row(std::uint32_t index, const store::Row& row) { rows_[index] = row; }
    // An own STORE gave MODSEQ to rows that were replaced. Where nothing happened in between, they need not be read
    // again.
    void know(store::ModSeq modseq) noexcept {
        if (modseq == modseq_ + 1 && !tell_all_) modseq_ = modseq;
    }
    bool set_keywords(std::vector<std::string> keywords);

    void vanish(const std::vector<store::Uid>& uids);
    std::vector<store::Uid> vanished() const;  // of rows that are still here
    bool has_vanished() const noexcept { return !vanished_.empty(); }
    // Removes vanished rows; calls TELL with the sequence number of each, as it is at that moment, and its UID.
    template <class Tell>
    void expunge(Tell tell) {
        told_modseq_ = modseq_;
        if (vanished_.empty()) return;
        std::size_t kept = 0, range = 0;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            while (range < vanished_.size() && vanished_[range].last < rows_[i].uid) ++range;
            if (range < vanished_.size() && vanished_[range].first <= rows_[i].uid) {
                tell(static_cast<std::uint32_t>(kept + 1), rows_[i].uid);
                continue;
            }
            if (kept != i) rows_[kept] = rows_[i];
            ++kept;
        }
        rows_.truncate(kept);
        vanished_.clear();
    }

private:
    void add_vanished(std::vector<store::UidRange> ranges);

    store::Mailbox mailbox_;
    bool read_only_;
    std::uint32_t uidvalidity_;
    store::Uid uidnext_, recent_floor_;
    store::ModSeq modseq_, told_modseq_, before_modseq_ = 0;
    std::optional<store::ModSeq> held_modseq_;
    bool tell_all_ = false, tell_keywords_ = false;  // with the next apply()
    std::vector<std::string> keywords_;
    store::Rows rows_;
    std::vector<store::UidRange> vanished_;  // sorted, disjoint
};

// SET as UIDs that need not exist, sorted and disjoint; "*" is the greatest UID there can be.
std::vector<store::UidRange> uid_ranges(const SequenceSet& set, const std::vector<store::Uid>& saved = {});
// What is in both, of sorted and disjoint ranges.
std::vector<store::UidRange> common_ranges(const std::vector<store::UidRange>& a,
                                           const std::vector<store::UidRange>& b);
// "1:3,7" of sorted UIDs.
void append_uid_set(std::string& out, const std::vector<store::Uid>& uids);
void append_uid_ranges(std::string& out, std::span<const store::UidRange> ranges);

}  // namespace gk::imap
