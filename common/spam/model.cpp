// SPDX-License-Identifier: MIT
#include "common/spam/model.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <algorithm>

#include "common/base/time.hpp"
#include "common/os/file.hpp"

namespace gk::spam {

namespace {

// A change to what features there are (kFeaturesVersion) is a step too: one that empties everything.
const std::vector<std::string>& schema() {
    static const std::vector<std::string> steps = {
        R"(CREATE TABLE features(id INTEGER PRIMARY KEY, weight INTEGER NOT NULL, messages INTEGER NOT NULL,
             day INTEGER NOT NULL);
           CREATE TABLE learned(id INTEGER PRIMARY KEY, spam INTEGER NOT NULL, traits INTEGER NOT NULL,
             words INTEGER NOT NULL, pairs INTEGER NOT NULL, day INTEGER NOT NULL);
           CREATE TABLE state(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
           INSERT INTO state VALUES('spam', 0), ('ham', 0), ('generation', 1), ('pruned', 0);)"};
    return steps;
}

// SQLite's integers are signed; the bits are the same.
std::int64_t key_of(std::uint64_t id) noexcept { return static_cast<std::int64_t>(id); }
std::uint64_t id_of(std::int64_t key) noexcept { return static_cast<std::uint64_t>(key); }

bool is_zero(const Steps& steps) noexcept {
    return std::all_of(steps.begin(), steps.end(), [](std::int64_t s) { return s == 0; });
}

}  // namespace

Result<Model> Model::open(const std::string& directory, const ModelOptions& options) {
    GK_CHECK(os::make_directories(directory));
    Model model;
    model.directory_ = directory;
    model.options_ = options;
    // What was learned can be learned again, so that a crash of the machine may cost the last of it.
    db::Options how;
    how.synchronous_full = false;
    how.cache_kib = 8192;
    GK_TRY(model.db_, db::Database::open(directory + "/spam.db", how));
    GK_CHECK(model.db_.migrate(schema()));
    model.today_ = to_unix_s(now()) / 86'400;
    auto table = Table::open(table_path(directory), true);
    if (table) {
        model.table_ = std::move(*table);
        return model;
    }
    if (table.error().code != Errc::NotFound) return fail(table.error());
    GK_TRY(auto transaction, model.begin(0));
    GK_CHECK(model.commit(transaction, {}));
    return model;
}

Result<std::int64_t> Model::state(std::string_view key) {
    GK_TRY(auto query, db_.prepare("SELECT value FROM state WHERE key = ?"));
    query.bind(key);
    GK_TRY(const bool row, query.step());
    const std::int64_t value = row ? query.integer(0) : 0;
    query.reset();
    return value;
}

Status Model::set_state(std::string_view key, std::int64_t value) {
    GK_TRY(auto update, db_.prepare("UPDATE state SET value = ? WHERE key = ?"));
    return update.bind(value).bind(key).run();
}

// The write lock, and a table that says what the database does and has room for MORE features.
Result<db::Transaction> Model::begin(std::size_t more) {
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    GK_TRY(generation_, state("generation"));
    GK_TRY(const auto spam, state("spam"));
    GK_TRY(const auto ham, state("ham"));
    learned_ = {static_cast<std::uint64_t>(spam), static_cast<std::uint64_t>(ham)};
    // Another process may have put a new one in its place.
    auto table = Table::open(table_path(directory_), true);
    const bool current = table && table->generation() == static_cast<std::uint64_t>(generation_);
    if (table) table_ = std::move(*table);
    if (!current || !table_.has_room_for(more)) {
        GK_CHECK(rebuild_table(more));
        table_.set_generation(static_cast<std::uint64_t>(generation_), learned_);
    }
    return transaction;
}

// Without a generation yet: what it was made of may still be rolled back.
Status Model::rebuild_table(std::size_t room) {
    GK_CHECK(Table::create(table_path(directory_), room, [&](const auto& put) -> Status {
        GK_TRY(auto query, db_.prepare("SELECT id, weight FROM features"));
        while (true) {
            GK_TRY(const bool row, query.step());
            if (!row) return ok();
            put(id_of(query.integer(0)), query.integer(1));
        }
    }));
    GK_TRY(table_, Table::open(table_path(directory_), true));
    return ok();
}

void Model::apply(const Features& features, const Steps& steps, int messages, Changes& changes) {
    if (is_zero(steps)) return;
    table_.set_generation(0, learned_);
    for (std::size_t i = 0; i < features.size(); ++i) {
        const std::int64_t step = steps[static_cast<std::size_t>(features.group(i))];
        Change& change = changes[features.id(i)];
        change.weight += step;
        change.messages += messages;
        table_.add(features.id(i), step);
    }
}

// Takes a message's own steps away again; KNOWN says whether it had been learned.
Status Model::undo(const Sample& sample, Changes& changes, bool& known) {
    GK_TRY(auto query, db_.prepare("SELECT spam, traits, words, pairs FROM learned WHERE id = ?"));
    query.bind(key_of(sample.identity));
    GK_TRY(known, query.step());
    if (!known) return ok();
    const bool was_spam = query.integer(0) != 0;
    const Steps steps{-query.integer(1), -query.integer(2), -query.integer(3)};
    query.reset();
    GK_TRY(auto remove, db_.prepare("DELETE FROM learned WHERE id = ?"));
    GK_CHECK(remove.bind(key_of(sample.identity)).run());
    --(was_spam ? learned_.spam : learned_.ham);
    apply(sample.features, steps, -1, changes);
    return ok();
}

Result<LearnCount> Model::learn(const std::vector<Sample>& samples, const LearnOptions& options) {
    std::size_t most = 0;
    for (const Sample& sample : samples) most += sample.features.size();
    GK_TRY(auto transaction, begin(most));
    Changes changes;
    LearnCount count;
    const Table* const tables[] = {&table_, options.beside};
    const std::span<const Table* const> judges(tables, options.beside == nullptr ? 1 : 2);
    for (const Sample& sample : samples) {
        GK_TRY(auto query, db_.prepare("SELECT spam, traits, words, pairs FROM learned WHERE id = ?"));
        query.bind(key_of(sample.identity));
        GK_TRY(const bool there, query.step());
        const bool same = there && (query.integer(0) != 0) == sample.spam;
        const Steps before = same ? Steps{query.integer(1), query.integer(2), query.integer(3)} : Steps{};
        if (there) query.reset();
        if (same) ++count.known;
        else ++count.learned;
        if (same && !options.again) continue;
        if (there && !same) {
            bool known = false;
            GK_CHECK(undo(sample, changes, known));
        }
        Steps steps = steps_for(sample.features, logit(sample.features, judges), sample.spam);
        if (!is_zero(steps)) {
            ++count.doubtful;
            apply(sample.features, steps, is_zero(before) ? 1 : 0, changes);
        } else if (same) {
            continue;
        }
        for (std::size_t g = 0; g < kGroups; ++g) steps[g] += before[g];
        if (!same) ++(sample.spam ? learned_.spam : learned_.ham);
        GK_TRY(auto insert, db_.prepare("INSERT OR REPLACE INTO learned VALUES(?, ?, ?, ?, ?, ?)"));
        insert.bind(key_of(sample.identity)).bind(std::int64_t{sample.spam});
        for (const std::int64_t step : steps) insert.bind(step);
        GK_CHECK(insert.bind(today_).run());
    }
    GK_CHECK(commit(transaction, changes));
    return count;
}

Result<std::size_t> Model::forget(const std::vector<Sample>& samples) {
    GK_TRY(auto transaction, begin(0));
    Changes changes;
    std::size_t count = 0;
    for (const Sample& sample : samples) {
        bool known = false;
        GK_CHECK(undo(sample, changes, known));
        count += known;
    }
    GK_CHECK(commit(transaction, changes));
    return count;
}

Status Model::commit(db::Transaction& transaction, const Changes& changes) {
    std::vector<std::pair<std::uint64_t, Change>> sorted(changes.begin(), changes.end());
    // In the order of the B-tree, which touches each page once.
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return key_of(a.first) < key_of(b.first); });
    GK_TRY(auto more, db_.prepare("INSERT INTO features VALUES(?1, ?2, max(?3, 1), ?4) ON CONFLICT(id) DO UPDATE SET "
                                  "weight = weight + ?2, messages = messages + ?3, day = ?4"));
    // What was left out for want of room is not there to be lessened.
    GK_TRY(auto less, db_.prepare("UPDATE features SET weight = weight + ?2, messages = messages + ?3 WHERE id = ?1"));
    GK_TRY(auto drop, db_.prepare("DELETE FROM features WHERE id = ? AND messages <= 0"));
    for (const auto& [id, change] : sorted) {
        if (change.messages < 0) {
            GK_CHECK(less.bind(key_of(id)).bind(change.weight).bind(change.messages).run());
            GK_CHECK(drop.bind(key_of(id)).run());
        } else if (change.messages > 0 || change.weight != 0) {
            GK_CHECK(more.bind(key_of(id)).bind(change.weight).bind(change.messages).bind(today_).run());
        }
    }
    GK_CHECK(set_state("spam", static_cast<std::int64_t>(learned_.spam)));
    GK_CHECK(set_state("ham", static_cast<std::int64_t>(learned_.ham)));
    GK_CHECK(set_state("generation", ++generation_));
    GK_TRY(const auto pruned, state("pruned"));
    if (pruned != today_ || table_.features() > options_.features) GK_CHECK(prune());
    GK_CHECK(transaction.commit());
    table_.set_generation(static_cast<std::uint64_t>(generation_), learned_);
    return ok();
}

// Once a day, and when there is too much. Down to nine tenths, so that it is not done for each message. First goes what
// one message alone had, the oldest of it.
Status Model::prune() {
    GK_CHECK(set_state("pruned", today_));
    GK_TRY(auto old, db_.prepare("DELETE FROM learned WHERE id IN (SELECT id FROM learned ORDER BY day DESC LIMIT -1 "
                                 "OFFSET ?)"));
    GK_CHECK(old.bind(static_cast<std::int64_t>(options_.messages)).run());
    GK_TRY(auto query, db_.prepare("SELECT count(*) FROM features"));
    GK_TRY(const bool row, query.step());
    const std::int64_t features = row ? query.integer(0) : 0;
    query.reset();
    const auto most = static_cast<std::int64_t>(options_.features);
    if (features <= most && table_.features() <= options_.features) return ok();
    if (features > most) {
        GK_TRY(auto remove, db_.prepare("DELETE FROM features WHERE id IN (SELECT id FROM features ORDER BY "
                                        "messages > 1, day, abs(weight) LIMIT ?)"));
        GK_CHECK(remove.bind(features - most / 10 * 9).run());
    }
    return rebuild_table(options_.features / 10);
}

Result<Stats> Model::stats() {
    Stats stats;
    GK_TRY(const auto spam, state("spam"));
    GK_TRY(const auto ham, state("ham"));
    stats.learned = {static_cast<std::uint64_t>(spam), static_cast<std::uint64_t>(ham)};
    GK_TRY(auto query,
           db_.prepare("SELECT (SELECT count(*) FROM features), (SELECT count(*) FROM learned), "
                       "(SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)"));
    GK_TRY(const bool row, query.step());
    if (row) {
        stats.features = static_cast<std::uint64_t>(query.integer(0));
        stats.remembered = static_cast<std::uint64_t>(query.integer(1));
        stats.bytes = static_cast<std::uint64_t>(query.integer(2));
    }
    query.reset();
    return stats;
}

}  // namespace gk::spam
