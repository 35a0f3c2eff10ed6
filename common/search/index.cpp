// SPDX-License-Identifier: MIT
#include "common/search/index.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <algorithm>

#include "common/os/file.hpp"
#include "common/search/tokens.hpp"

// Opening the index and asking it.
namespace gk::search {

namespace {

// A change to what words are (tokens.hpp, text.hpp) is a step too: one that empties everything.
const std::vector<std::string>& schema() {
    static const std::string volume =
        "CREATE VIRTUAL TABLE text{0} USING fts5(subject, sender, recipients, copies, blind_copies, other, names, "
        "body, "
        "content='', tokenize='gk'); INSERT INTO text{0}(text{0}, rank) VALUES('hashsize', 8388608);";
    static const std::vector<std::string> steps = {
        R"(CREATE TABLE boxes(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, uidvalidity INTEGER NOT NULL,
             modseq INTEGER NOT NULL);
           CREATE TABLE documents(id INTEGER PRIMARY KEY AUTOINCREMENT, inode INTEGER NOT NULL UNIQUE,
             mtime_ns INTEGER NOT NULL, size INTEGER NOT NULL, volume INTEGER NOT NULL, whole INTEGER NOT NULL,
             attachments INTEGER NOT NULL);
           CREATE TABLE places(box INTEGER NOT NULL, uid INTEGER NOT NULL, document INTEGER NOT NULL,
             PRIMARY KEY(box, uid)) WITHOUT ROWID;
           CREATE INDEX places_by_document ON places(document);
           CREATE INDEX places_waiting ON places(box, uid) WHERE document <= 0;
           CREATE TABLE volumes(number INTEGER PRIMARY KEY, filling INTEGER NOT NULL, dead INTEGER NOT NULL);
           INSERT INTO volumes VALUES(0, 1, 0), (1, 0, 0);)" +
            fmt::format(fmt::runtime(volume), 0) + fmt::format(fmt::runtime(volume), 1),
    };
    return steps;
}

constexpr std::string_view kColumnNames[kTextColumns] = {"subject",      "sender", "recipients", "copies",
                                                         "blind_copies", "other",  "names",      "body"};

Result<db::Database> open_database(const std::string& path) {
    db::Options options;
    options.synchronous_full = false;
    options.cache_kib = 4096;  // of pages: a batch of words touches many
    GK_TRY(db::Database database, db::Database::open(path, options));
    GK_CHECK(register_tokenizer(database.raw()));
    GK_CHECK(database.migrate(schema()));
    return database;
}

std::uint64_t inode_of(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '\0') continue;
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

std::string column_filter(unsigned columns) {
    if ((columns & kAllColumns) == kAllColumns) return {};
    std::string out = "{";
    for (std::size_t i = 0; i < kTextColumns; ++i)
        if ((columns >> i & 1) != 0) (out += ' ') += kColumnNames[i];
    return out + "} : ";
}

}  // namespace

std::string expression_for(const Phrase& phrase) {
    const auto tokens = query_tokens(phrase.text);
    if (tokens.empty()) return {};
    const bool prefix = phrase.prefix || is_lone_letter(tokens.back());
    return column_filter(phrase.columns) + quoted(phrase.text) + (prefix ? " *" : "");
}

std::string expression_for_words(unsigned columns, std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t begin = text.find_first_not_of(" \t\r\n", at);
        if (begin == std::string_view::npos) break;
        at = std::min(text.find_first_of(" \t\r\n", begin), text.size());
        // One letter of an alphabet as a beginning would be half of all the words there are.
        const bool prefix = at - begin > 1;
        const auto one = expression_for({columns, std::string(text.substr(begin, at - begin)), prefix});
        if (one.empty()) continue;
        if (!out.empty()) out += " AND ";
        (((out += '(') += one) += ')');
    }
    return out;
}

Result<Index> Index::open(const std::string& home, const IndexOptions& options) {
    Index index;
    index.path_ = home + "/search.db";
    index.options_ = options;
    auto database = open_database(index.path_);
    if (!database && database.error().code == Errc::Permanent) {
        GK_CHECK(discard(home));
        database = open_database(index.path_);
    }
    if (!database) return fail(database.error());
    index.db_ = std::move(*database);
    index.inode_ = inode_of(index.path_);
    index.limit_ = options.least_size;
    return index;
}

Status Index::discard(const std::string& home) {
    // The log first: none may be read into a file that it does not belong to.
    for (const char* name : {"/search.db-wal", "/search.db-shm", "/search.db"})
        if (const auto gone = os::unlink(home + name); !gone && gone.error().code != Errc::NotFound) return gone;
    return ok();
}

IndexOptions index_options(const config::Config& config) {
    IndexOptions options;
    options.text.message = config.size("search.text_size");
    options.text.part = options.text.message / 2;
    options.share_percent = static_cast<unsigned>(config.integer("search.share"));
    return options;
}

bool Index::exists(const std::string& home) { return os::exists(home + "/search.db"); }

bool Index::is_current() const { return inode_ != 0 && inode_of(path_) == inode_; }

Result<std::int64_t> Index::number(std::string_view sql) {
    GK_TRY(auto query, db_.prepare(sql));
    GK_TRY(const bool row, query.step());
    const std::int64_t value = row ? query.integer(0) : 0;
    query.reset();
    return value;
}

Result<std::uint64_t> Index::used_bytes() {
    GK_TRY(const auto pages, number("PRAGMA page_count"));
    GK_TRY(const auto unused, number("PRAGMA freelist_count"));
    GK_TRY(const auto size, number("PRAGMA page_size"));
    return static_cast<std::uint64_t>((pages - unused) * size);
}

Result<std::vector<Document>> Index::find(const std::string& expression) {
    std::vector<Document> found;
    if (expression.empty()) return found;
    for (const int volume : {0, 1}) {
        GK_TRY(auto query, db_.prepare(fmt::format(
                               "SELECT d.id FROM text{0} JOIN documents d ON d.id = text{0}.rowid AND d.volume = "
                               "{0} WHERE text{0} MATCH ?",
                               volume)));
        query.bind(expression);
        for (;;) {
            GK_TRY(const bool row, query.step());
            if (!row) break;
            found.push_back(query.integer(0));
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

Result<std::unordered_map<Document, std::int64_t>> Index::rank(const std::string& expression) {
    std::unordered_map<Document, std::int64_t> scores;
    if (expression.empty()) return scores;
    for (const int volume : {0, 1}) {
        GK_TRY(auto query,
               db_.prepare(fmt::format("SELECT d.id, gk_rank(text{0}) FROM text{0} JOIN documents d ON d.id = "
                                       "text{0}.rowid AND d.volume = {0} WHERE text{0} MATCH ?",
                                       volume)));
        query.bind(expression);
        for (;;) {
            GK_TRY(const bool row, query.step());
            if (!row) break;
            scores[query.integer(0)] = query.integer(1);
        }
    }
    return scores;
}

Result<std::vector<Document>> Index::with_attachments() {
    std::vector<Document> found;
    GK_TRY(auto query, db_.prepare("SELECT id FROM documents WHERE attachments > 0 ORDER BY id"));
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return found;
        found.push_back(query.integer(0));
    }
}

Result<std::vector<Hit>> Index::find_in(std::int64_t box, const std::string& expression) {
    std::vector<Hit> hits;
    if (expression.empty()) return hits;
    GK_TRY(const auto scores, rank(expression));
    if (scores.empty()) return hits;
    GK_TRY(const auto all, places(box));
    for (const Place& place : all)
        if (const auto found = scores.find(place.document); found != scores.end())
            hits.push_back({place.uid, found->second});
    return hits;
}

Result<std::vector<Place>> Index::places(std::int64_t box) {
    std::vector<Place> found;
    GK_TRY(auto query, db_.prepare("SELECT uid, document FROM places WHERE box = ? ORDER BY uid"));
    query.bind(box);
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return found;
        found.push_back({static_cast<store::Uid>(query.integer(0)), query.integer(1)});
    }
}

Result<std::vector<store::Uid>> Index::waiting_uids(std::int64_t box) {
    std::vector<store::Uid> found;
    GK_TRY(auto query, db_.prepare("SELECT uid FROM places WHERE box = ? AND document <= 0 ORDER BY uid"));
    query.bind(box);
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return found;
        found.push_back(static_cast<store::Uid>(query.integer(0)));
    }
}

Result<IndexStatus> Index::status() {
    const auto count = [this](std::string_view sql) -> Result<std::uint64_t> {
        GK_TRY(const auto value, number(sql));
        return static_cast<std::uint64_t>(value);
    };
    IndexStatus status;
    GK_TRY(status.messages, count("SELECT count(*) FROM documents"));
    GK_TRY(status.waiting, count("SELECT count(*) FROM places WHERE document = 0"));
    GK_TRY(status.unreadable, count("SELECT count(*) FROM places WHERE document = -1"));
    GK_TRY(status.only_headers, count("SELECT count(*) FROM documents WHERE whole = 0"));
    GK_TRY(status.remains, count("SELECT sum(dead) FROM volumes"));
    GK_TRY(status.bytes, used_bytes());
    return status;
}

Result<std::int64_t> Index::known(store::Mailbox& mailbox) {
    GK_TRY(const auto now, mailbox.status());
    GK_TRY(auto query, db_.prepare("SELECT number FROM boxes WHERE name = ? AND uidvalidity = ?"));
    GK_TRY(const bool row, query.bind(mailbox.name()).bind(static_cast<std::int64_t>(now.uidvalidity)).step());
    const std::int64_t box = row ? query.integer(0) : 0;
    query.reset();
    return box;
}

Result<std::string> Index::damage() {
    GK_TRY(auto query, db_.prepare("PRAGMA quick_check(1)"));
    auto row = query.step();
    if (!row && row.error().code == Errc::Permanent) return row.error().text;
    if (!row) return fail(row.error());
    const std::string said(*row ? query.text(0) : "no answer");
    query.reset();
    return said == "ok" ? std::string() : said;
}

}  // namespace gk::search
