// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/db/database.hpp"
#include "common/maildir/listing.hpp"
#include "common/maildir/sync.hpp"
#include "common/maildir/uidlist.hpp"
#include "common/maildir/writer.hpp"
#include "common/os/fd.hpp"
#include "common/store/account.hpp"
#include "common/store/types.hpp"

// Private to the store: an account's open index and what its parts do with it. Functions that take a State expect its
// lock to be held (see Locked); those that take a Record besides expect a write transaction.
namespace gk::store {

// One row of the table mailboxes.
struct Record {
    std::int64_t number = 0;
    std::string name;
    std::uint32_t uidvalidity = 0;  // 0: found, but not looked into yet
    Uid uidnext = 1;
    ModSeq modseq = 1;
    Uid recent_floor = 1;
    Uid adopted = 0;           // highest UID that a reconcile gave to a file it found
    ModSeq history_floor = 1;  // expunges up to here are not recorded
    std::uint32_t messages = 0, unseen = 0, deleted = 0;
    std::uint64_t bytes = 0, deleted_bytes = 0;
    std::string special_use, guid, boot;
    Uid uid_ceiling = 1;  // reserved durably in gk-state during BOOT
    ModSeq modseq_ceiling = 1;
    std::int64_t uidlist_inode = 0, uidlist_size = 0, uidlist_lines = 0;
    std::int64_t new_mtime_ns = 0, cur_mtime_ns = 0;
    int new_trust = 0, cur_trust = 0;  // in these; see Trust
};

// How far an unchanged mtime means an unchanged directory.
enum Trust : int {
    kOwnChange = 0,  // our own change moved it: a foreign one in the same instant would be hidden
    kTooYoung = 1,   // it was less than two seconds old when the directory was read
    kTrusted = 2,
};

// A message with the name of its file, "new/NAME" or "cur/NAME:2,S".
struct StoredRow {
    Row row;
    std::string file;
    std::string extra;  // of its uidlist line
};

// What is kept of a message's structure: as IMAP shows it, and whole (message::serialise).
struct KeptStructure {
    std::string envelope, body_structure, structure;
};

// A message that is durable under its final name and wants a row.
struct Arrived {
    std::string file;
    Flags flags = 0;
    KeywordMask keywords = 0;
    std::int64_t internal_date = 0;
    std::uint64_t size = 0;
    Uid uid = 0;                   // out
    KeptStructure structure = {};  // nothing in it: not looked at yet
};
struct Arrival {
    std::int64_t mailbox = 0;
    Uid known_uidnext = 1;  // UIDNEXT before the first of them was visible
    std::vector<Arrived> messages;
    std::uint32_t uidvalidity = 0;  // out
};

struct Account::State {
    std::string home, root;  // root: home/Maildir
    AccountOptions options;
    std::unique_ptr<maildir::Writer> own_writer;
    maildir::Writer* writer = nullptr;

    std::mutex mutex;  // guards what follows, up to the empty line
    db::Database index;
    maildir::Stamp tree_stamp;  // of the root, when it was last known that the index has all that is below it
    std::int64_t tree_read_ns = 0;
    bool tree_seen = false;
    std::uint64_t tree_reads = 0;  // how often the root was read
    struct Pending {
        std::string mailbox;
        ModSeq modseq;
    };
    std::vector<Pending> changes;  // committed or about to be; told when the lock is released
    struct Touched {
        std::int64_t mailbox;
        ModSeq modseq;
        Uid first, last;
    };
    std::vector<Touched> touched;  // rows of the transaction under way that got a new mod-sequence; see changed.cpp

    std::mutex arrivals_mutex;  // guards the next line
    std::vector<Arrival*> arrivals;
    maildir::SharedFlush arrivals_indexed;

    // While an account is being made nobody was promised anything: one flush of the file system at the end makes all of
    // it durable, in place of fifty.
    bool making = false;

    std::string path_of(std::string_view mailbox) const;
    // Replaces a text file, durably unless MAKING.
    Status replace(const std::string& path, std::string_view bytes);
    Status sync(const std::string& directory) const;
};
using State = Account::State;

// Holds the lock; on the way out tells the sink, without it, of the changes that were committed.
class Locked {
public:
    explicit Locked(State& state) : state_(state), lock_(state.mutex) {}
    ~Locked();
    Locked(const Locked&) = delete;

private:
    State& state_;
    std::unique_lock<std::mutex> lock_;
};

// Forgets the changes noted since its construction unless commit() succeeded.
class WriteTransaction {
public:
    static Result<WriteTransaction> begin(State& state);
    WriteTransaction(WriteTransaction&& other) noexcept
        : state_(std::exchange(other.state_, nullptr)),
          noted_(other.noted_),
          transaction_(std::move(other.transaction_)) {}
    ~WriteTransaction();
    Status commit();

private:
    WriteTransaction(State& state, db::Transaction transaction)
        : state_(&state), noted_(state.changes.size()), transaction_(std::move(transaction)) {}
    State* state_;
    std::size_t noted_;
    bool committed_ = false;
    std::optional<db::Transaction> transaction_;
};

// Runs WRITE, which is of use for the next time alone: given up at once where somebody else writes.
void without_waiting(State& state, const std::function<Status()>& write);

// One consistent view over several SELECTs.
class ReadTransaction {
public:
    static Result<ReadTransaction> begin(State& state);
    ReadTransaction(ReadTransaction&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    ~ReadTransaction();

private:
    explicit ReadTransaction(State& state) : state_(&state) {}
    State* state_;
};

// index.cpp: rows of the index.
Result<db::Database> open_index(const std::string& home);
Result<std::optional<Record>> find_record(State& state, std::string_view name);
Result<std::optional<Record>> find_record(State& state, std::int64_t number);
Result<std::vector<Record>> all_records(State& state);
Result<std::vector<Record>> records_below(State& state, std::string_view name);  // NAME's own too
// A Mailbox's own record; NotFound where it is gone or another has its place.
Result<Record> get_record(State& state, std::int64_t number, std::uint32_t uidvalidity);
Status insert_record(State& state, Record& record);  // sets its number
Status save_record(State& state, const Record& record);
Status delete_messages(State& state, std::int64_t mailbox);

std::int64_t row_key(std::int64_t mailbox, Uid uid) noexcept;
Status insert_message(State& state, Record& record, const StoredRow& message);  // counts it
Status update_message(State& state, Record& record, const Row& before, const StoredRow& after);
// ROWS: sorted by UID.
Status delete_messages(State& state, Record& record, std::span<const Row> rows);
// Forgets the older half of a history that has grown past kMaxHistory ranges, and moves RECORD's floor.
Status record_expunged(State& state, Record& record, const std::vector<Uid>& uids, ModSeq modseq);
// Those of UIDS that exist, in order.
Result<std::vector<StoredRow>> load_messages(State& state, std::int64_t mailbox, std::span<const Uid> uids);
Result<std::optional<StoredRow>> load_message(State& state, std::int64_t mailbox, Uid uid);

// changed.cpp: which rows have a mod-sequence past another, without an index over all of them.
void note_touched(State& state, std::int64_t mailbox, ModSeq modseq, Uid uid);
Status save_touched(State& state);  // at the end of a write transaction
// Ranges that hold every row changed after MODSEQ, and others too; sorted, disjoint.
Result<std::vector<UidRange>> touched_since(State& state, std::int64_t mailbox, ModSeq modseq);
std::vector<UidRange> joined(std::vector<UidRange> ranges);

// contents.cpp
KeptStructure kept_structure(const message::Structure& structure);
Status keep_structure(State& state, std::int64_t mailbox, Uid uid, const KeptStructure& kept);  // where it has a row

// ceilings.cpp: makes sure, durably, that COUNT more UIDs and one mod-sequence may be given out.
Status reserve(State& state, Record& record, std::uint32_t count);
// A UIDVALIDITY that no mailbox of the account ever had.
Result<std::uint32_t> new_uidvalidity(State& state);
// Rewrites the part of gk-state that RECORD and the table keywords know.
Status write_state(State& state, const Record& record);

// quota.cpp
Result<Totals> read_totals(State& state);
Status check_room(State& state, const Quota& quota, std::uint64_t messages, std::uint64_t bytes);
Status recount_totals(State& state);
// Up to which UID messages have a thread that was told, as gk-state says.
Result<Uid> read_threaded(State& state, const Record& record);
Status write_threaded(State& state, const Record& record, Uid uid);

// keywords.cpp: names and bits.
Result<std::vector<std::string>> load_keywords(State& state, std::int64_t mailbox);
// The mask for NAMES, which are given bits where they have none. BadInput: no atom, or no bit left.
Result<KeywordMask> ensure_keywords(State& state, const Record& record, const std::vector<std::string>& names);
// Reads dovecot-keywords and gk-state into the index, where a name has no bit yet.
Status adopt_keywords(State& state, const Record& record);
Status name_unknown_keywords(State& state, const Record& record, std::uint32_t letters);
inline constexpr KeywordMask kLetterKeywords = (KeywordMask{1} << 26) - 1;

// uidlist.cpp: the file of UIDs.
bool uidlist_is_ours(State& state, const Record& record);
Status append_uidlist(State& state, Record& record, std::string_view lines, std::size_t count);
Status rewrite_uidlist(State& state, Record& record);

// reconcile.cpp: what others did to the files.
bool looks_changed(State& state, const Record& record, bool thorough);
Status reconcile_mailbox(State& state, Record& record, bool everything);
// Outside of a transaction: reconciles RECORD where it looks changed, and reads it again.
Status refresh(State& state, Record& record, bool thorough);
// The state of both directories just before our own change, and the bookkeeping after it.
struct OwnChange {
    OwnChange(State& state, const Record& record);
    void done(State& state, Record& record) const;

private:
    bool new_unchanged_ = false, cur_unchanged_ = false;
};

// tree_stamp.cpp: the index remembers, for all processes, how the root looked when it had all that is below it. Most
// file systems count directories in the number of links, which shows a foreign mailbox made in the same instant as
// ours.
struct TreeStamp {
    std::int64_t inode = 0, mtime_ns = 0, links = 0;
    int trust = kTooYoung;
    bool fits(const TreeStamp& now) const noexcept {
        return inode != 0 && inode == now.inode && mtime_ns == now.mtime_ns && links == now.links;
    }
};
TreeStamp tree_stamp_now(const State& state) noexcept;
Result<TreeStamp> load_tree_stamp(State& state);
Status save_tree_stamp(State& state, const TreeStamp& stamp);
// Stands round our own change of names in the root, in a write transaction: where nothing else had changed before it,
// the tree need not be read again for it, however many mailboxes there are.
class TreeChange {
public:
    explicit TreeChange(State& state);
    Status done(int directories = 0);  // how many more there are now

private:
    State& state_;
    bool known_before_ = false;
    std::int64_t links_before_ = 0;
};

// tree.cpp
Status sync_tree(State& state);
Result<Record> get_mailbox(State& state, std::string_view name);  // NotFound; reconciled where new

// files.cpp: moving messages' files about.
std::string renamed_file(std::string_view file, Flags flags, KeywordMask keywords);  // "cur/BASE:2,FLAGS"
std::string_view base_of_file(std::string_view file) noexcept;
// When the message was put into its mailbox: the seconds that its file's name begins with, which no flag change and no
// loss of the index alters, and which COPY and MOVE make anew. OTHERWISE where another tool's name does not say it.
std::int64_t saved_date_of(std::string_view file, std::int64_t otherwise) noexcept;
// A mailbox's directory, with its cur/ and new/: the kernel need not look them up again for each of ten thousand names.
struct Directory {
    explicit Directory(std::string at);
    std::string path;
    os::Fd fd, cur, fresh;
    // FILE, a name below it, as the system calls want it. Lives as long as both.
    struct At {
        int fd;
        const char* name;
    };
    At at(const char* file) const noexcept;
    At at(const std::string& file) const noexcept { return at(file.c_str()); }
};
// Renames from below FROM to below TO, and back again unless keep() was called. Both directories outlive it.
class Renames {
public:
    Renames(const Directory& from, const Directory& to) : from_(from), to_(to) {}
    explicit Renames(const Directory& directory) : Renames(directory, directory) {}
    Renames(const Renames&) = delete;
    ~Renames();
    Status rename(const std::string& from, const std::string& to);
    void keep() noexcept { done_.clear(); }

private:
    const Directory &from_, &to_;
    std::string names_;                                      // each pair with its zeros, one behind the other
    std::vector<std::pair<std::size_t, std::size_t>> done_;  // where in them
};
// The file of a message that is not under its name any more: searched by its base. Empty: it is gone.
std::string find_file(const std::string& mailbox_path, std::string_view base);

// arrivals.cpp: returns when ARRIVAL has its UIDs, or 0 for them where the index could not be had. Takes the lock.
void index_arrival(State& state, Arrival& arrival);
// The same for a crowd that is there already, in one transaction.
void index_arrivals(State& state, const std::vector<Arrival*>& arrivals);
// The same in a write transaction, for one mailbox.
Status index_arrivals_in(State& state, Record& record, const std::vector<Arrival*>& arrivals);

// At most MOST files in new/ to cur/, as a mail reader does; what another moved first is left alone. True where there
// were so many.
Result<bool> take_new(State& state, Record& record, std::size_t most);
void note_change(State& state, const Record& record);
std::int64_t now_s();
std::int64_t now_ns();

}  // namespace gk::store
