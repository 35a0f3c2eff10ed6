// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>

#include "common/store/pack.hpp"
#include "common/store/state.hpp"

// All rows of a mailbox at once, as a session holds them. Of a large mailbox they are kept as one value besides, ten
// bytes a message, as they were at a mod-sequence: a change needs no look at it, since what changed after that is found
// by its mod-sequence and put on top. Whoever finds much that changed packs anew.
namespace gk::store {

namespace {

// Fewer rows are read as fast without; of more changes than this part of them the whole is read again.
constexpr std::size_t kWorthPacking = 1000, kChangedPart = 4;
constexpr char kFormat = 1;

constexpr std::string_view kRows = "SELECT key, modseq, flags, keywords, internal_date, saved_date, size FROM messages";

std::string packed(const std::vector<Row>& rows) {
    std::string out(1, kFormat);
    out.reserve(rows.size() * 12);
    pack_number(out, rows.size());
    Row last;
    for (const Row& row : rows) {
        pack_number(out, row.uid - last.uid);
        out += static_cast<char>(row.flags);
        pack_distance(out, last.modseq, row.modseq);
        pack_number(out, row.keywords);
        pack_distance(out, static_cast<std::uint64_t>(last.internal_date),
                      static_cast<std::uint64_t>(row.internal_date));
        pack_distance(out, static_cast<std::uint64_t>(row.internal_date), static_cast<std::uint64_t>(row.saved_date));
        pack_number(out, row.size);
        last = row;
    }
    return out;
}

bool unpack(std::string_view bytes, std::vector<Row>& rows) {
    if (bytes.empty() || bytes.front() != kFormat) return false;
    Unpacker in(bytes.substr(1));
    const std::uint64_t count = in.number();
    if (count > bytes.size()) return false;
    rows.resize(count);
    Row last;
    for (Row& row : rows) {
        row.uid = static_cast<Uid>(last.uid + in.number());
        row.flags = static_cast<Flags>(in.number());  // below 128: one byte
        row.modseq = in.distance_from(last.modseq);
        row.keywords = in.number();
        row.internal_date = static_cast<std::int64_t>(in.distance_from(static_cast<std::uint64_t>(last.internal_date)));
        row.saved_date = static_cast<std::int64_t>(in.distance_from(static_cast<std::uint64_t>(row.internal_date)));
        row.size = in.number();
        last = row;
    }
    return in.good() && in.done();
}

// What changed is put over ROWS; both are sorted.
void put_over(std::vector<Row>& rows, const std::vector<Row>& changed) {
    const Uid last = rows.empty() ? 0 : rows.back().uid;
    std::vector<Row> between;  // those that ROWS has not, below its end
    auto at = rows.begin();
    for (const Row& row : changed) {
        if (row.uid > last) break;
        at = std::lower_bound(at, rows.end(), row.uid, [](const Row& one, Uid uid) { return one.uid < uid; });
        if (at->uid == row.uid) *at = row;
        else between.push_back(row);
    }
    const auto behind =
        std::upper_bound(changed.begin(), changed.end(), last, [](Uid uid, const Row& one) { return uid < one.uid; });
    rows.insert(rows.end(), behind, changed.end());
    if (between.empty()) return;
    const auto middle = static_cast<std::ptrdiff_t>(rows.size());
    rows.insert(rows.end(), between.begin(), between.end());
    std::inplace_merge(rows.begin(), rows.begin() + middle, rows.end(),
                       [](const Row& a, const Row& b) { return a.uid < b.uid; });
}

void take_out(std::vector<Row>& rows, const std::vector<UidRange>& ranges) {
    auto range = ranges.begin();
    std::erase_if(rows, [&](const Row& row) {
        while (range != ranges.end() && range->last < row.uid) ++range;
        return range != ranges.end() && range->first <= row.uid;
    });
}

// Nothing: not kept, or not to be had from what is kept.
Result<std::optional<LoadedRows>> from_packed(State& state, const Record& record) {
    using Nothing = std::optional<LoadedRows>;
    GK_TRY(auto query, state.index.prepare("SELECT modseq, rows FROM packed_rows WHERE mailbox = ?"));
    GK_TRY(const bool kept, query.bind(record.number).step());
    if (!kept) return Nothing();
    LoadedRows loaded;
    const auto modseq = static_cast<ModSeq>(query.integer(0));
    const bool good = modseq <= record.modseq && unpack(query.text(1), loaded.rows);
    query.reset();
    if (!good) return Nothing();
    if (modseq == record.modseq) {
        if (loaded.rows.size() != record.messages) return Nothing();
        return std::optional(std::move(loaded));
    }
    const std::size_t most = std::max<std::size_t>(kWorthPacking, record.messages / kChangedPart);
    GK_TRY(auto changed, changed_rows(state, record, modseq, most + 1));
    if (changed.size() > most) return Nothing();
    GK_TRY(const auto vanished, vanished_in(state, record, modseq));
    if (!vanished.exact) return Nothing();
    // An expunge never takes what came after it: UIDs are not given twice.
    take_out(loaded.rows, vanished.ranges);
    put_over(loaded.rows, changed);
    if (loaded.rows.size() != record.messages) return Nothing();
    loaded.worth_packing = changed.size() + vanished.ranges.size() > kWorthPacking;
    return std::optional(std::move(loaded));
}

}  // namespace

namespace {

Row read_row(const db::Statement& query) {
    Row row;
    row.uid = static_cast<Uid>(query.integer(0) & 0xffffffff);
    row.modseq = static_cast<ModSeq>(query.integer(1));
    row.flags = static_cast<Flags>(query.integer(2));
    row.keywords = static_cast<KeywordMask>(query.integer(3));
    row.internal_date = query.integer(4);
    row.saved_date = query.integer(5);
    row.size = static_cast<std::uint64_t>(query.integer(6));
    return row;
}

}  // namespace

Result<std::vector<Row>> changed_rows(State& state, const Record& record, ModSeq since, std::size_t most) {
    static const std::string sql = fmt::format("{} WHERE key BETWEEN ? AND ? AND modseq > ?", kRows);
    GK_TRY(auto query, state.index.prepare(sql));
    GK_TRY(const auto touched, touched_since(state, record.number, since));
    std::vector<Row> rows;
    for (const UidRange& range : touched) {
        query.bind(row_key(record.number, range.first)).bind(row_key(record.number, range.last));
        query.bind(static_cast<std::int64_t>(since));
        for (;;) {
            GK_TRY(const bool row, query.step());
            if (!row) break;
            rows.push_back(read_row(query));
            if (rows.size() < most) continue;
            query.reset();
            return rows;
        }
    }
    return rows;
}

Result<LoadedRows> load_rows(State& state, const Record& record) {
    GK_TRY(auto kept, from_packed(state, record));
    if (kept) return std::move(*kept);
    static const std::string sql = fmt::format("{} WHERE key BETWEEN ? AND ?", kRows);
    GK_TRY(auto query, state.index.prepare(sql));
    query.bind(row_key(record.number, 0)).bind(row_key(record.number, 0xffffffff));
    LoadedRows loaded;
    loaded.rows.reserve(record.messages);
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        loaded.rows.push_back(read_row(query));
    }
    loaded.worth_packing = loaded.rows.size() >= kWorthPacking;
    return loaded;
}

void pack_rows(State& state, const Record& seen, const std::vector<Row>& rows) {
    without_waiting(state, [&]() -> Status {
        GK_TRY(auto transaction, WriteTransaction::begin(state));
        GK_TRY(const auto record, get_record(state, seen.number, seen.uidvalidity));
        if (record.modseq != seen.modseq) return ok();
        GK_TRY(auto insert, state.index.prepare("INSERT OR REPLACE INTO packed_rows(mailbox, modseq, rows) "
                                                "VALUES(?, ?, ?)"));
        GK_CHECK(insert.bind(seen.number).bind(static_cast<std::int64_t>(seen.modseq)).bind_blob(packed(rows)).run());
        return transaction.commit();
    });
}

}  // namespace gk::store
