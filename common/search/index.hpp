// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"
#include "common/db/database.hpp"
#include "common/search/text.hpp"
#include "common/store/mailbox.hpp"

// The words of an account's messages: search.db beside index.db, a cache that may be deleted at any time. A message is
// known by its file (inode, time and size, which neither a flag, a MOVE nor a COPY changes), so that moved mail is not
// read again; where it lies (mailbox and UID) is kept beside, in step with index.db. Several processes may have it
// open; what one adds, all find. No thread may use an Index while another does.
//
// Words lie in one of two volumes. SQLite cannot take a message's words out again without having them all, so one that
// is gone leaves its words behind, where nothing leads to them any more; when such remains outweigh, the other volume
// is filled from the mail, a bit at a time, and the old one emptied.
namespace gk::search {

struct IndexOptions {
    TextLimits text = {};
    // The file may grow to this share of the mail's size, or to LEAST_SIZE where that is more. Past it only header
    // fields and names of attachments are taken in.
    unsigned share_percent = 50;
    std::uint64_t least_size = 32u << 20;
};

IndexOptions index_options(const config::Config& config);  // search.*

// Columns as bits, in the order of Text.
enum Columns : unsigned { kSubject = 1, kFrom = 2, kTo = 4, kCc = 8, kBcc = 16, kOther = 32, kNames = 64, kBody = 128 };
constexpr unsigned kAllColumns = 255;

// Words in a row, in one of COLUMNS; the last may go on where PREFIX.
struct Phrase {
    unsigned columns = kAllColumns;
    std::string text;
    bool prefix = false;
};
// A phrase in the language of FTS5; empty where TEXT has no word.
std::string expression_for(const Phrase& phrase);
// Every word of TEXT (by white space), of two letters or more as the beginning of one: what SEARCH=FUZZY asks for.
// Empty where there is none.
std::string expression_for_words(unsigned columns, std::string_view text);

using Document = std::int64_t;  // a message's number in the index

struct Hit {
    store::Uid uid;
    std::int64_t score;  // BM25 in thousandths, the more the better
};
struct Place {
    store::Uid uid;
    Document document;  // 0: not taken in yet; -1: its file could not be read
};

struct IndexStatus {
    std::uint64_t messages = 0, waiting = 0, unreadable = 0;
    std::uint64_t only_headers = 0;  // taken in without their bodies, since the index was full
    std::uint64_t remains = 0;       // messages that are gone and whose words are not
    std::uint64_t bytes = 0;
};

class Index {
public:
    // In the account's HOME, made where it is not there. What is no index, or a damaged one, is removed and begun anew.
    // Unsupported: a newer gk made it.
    static Result<Index> open(const std::string& home, const IndexOptions& options = {});
    // Removes it, whoever uses it: they go on with what is gone, and make a new one the next time they open it.
    static Status discard(const std::string& home);
    static bool exists(const std::string& home);
    // Whether the file that was opened is still the one in HOME.
    bool is_current() const;

    // Learns where messages lie now in MAILBOX; reads none. Returns the number of the mailbox here.
    Result<std::int64_t> sync(store::Mailbox& mailbox);
    Status sync(store::Account& account);  // the same for all mailboxes
    // Forgets messages that lie nowhere any more. Does nothing while others wait: what left one mailbox may be one of
    // those that came to another.
    Status forget_lost();

    // Takes in up to MOST waiting messages of a mailbox, the newest first, durably in one transaction, and returns how
    // many it went through; 0: none waits. Before its first call, set the limit.
    Result<std::size_t> add(store::Mailbox& mailbox, std::int64_t box, std::size_t most);
    Status set_limit(store::Account& account);
    bool is_full() const noexcept { return full_; }  // as the last add() found it
    Status retry_unreadable();
    // Moves up to MOST messages out of a volume that is being emptied; 0: nothing is left to do.
    Result<std::size_t> compact(store::Account& account, std::size_t most);

    // Documents that match, ascending.
    Result<std::vector<Document>> find(const std::string& expression);
    // Their scores.
    Result<std::unordered_map<Document, std::int64_t>> rank(const std::string& expression);
    Result<std::vector<Document>> with_attachments();
    // In one mailbox, by ascending UID.
    Result<std::vector<Hit>> find_in(std::int64_t box, const std::string& expression);
    Result<std::vector<Place>> places(std::int64_t box);
    Result<std::vector<store::Uid>> waiting_uids(std::int64_t box);  // those unreadable too; ascending

    Result<IndexStatus> status();
    // The number of MAILBOX as sync() last saw it; 0: it never did, or under another UIDVALIDITY.
    Result<std::int64_t> known(store::Mailbox& mailbox);
    // What is wrong with the file, by SQLite's own check; empty: nothing.
    Result<std::string> damage();

private:
    struct Read;
    Index() = default;
    Result<std::int64_t> number(std::string_view sql);
    Result<std::int64_t> filling();
    Result<Read> read(store::Mailbox& mailbox, store::Uid uid, const std::string& path, bool only_headers);
    Result<Document> insert(const Read& read, std::int64_t volume);
    Status forget(Document document, std::int64_t volume);
    Result<std::uint64_t> used_bytes();

    std::string path_;
    IndexOptions options_;
    db::Database db_;
    std::uint64_t inode_ = 0;
    std::uint64_t limit_ = 0;
    bool full_ = false;
};

}  // namespace gk::search
