// SPDX-License-Identifier: MIT
#include "common/store/outline.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>

#include "common/base/ids.hpp"
#include "common/maildir/name.hpp"
#include "common/os/file.hpp"

namespace gk::store {

namespace {

constexpr std::string_view kFolder = "/outlines";
constexpr std::size_t kRowsAt = 64 * 1024;  // a multiple of every page size

// What the rows behind it are worth. All of it must be as it is now: the index is the same and not one that was made
// anew, the machine was not started since (the file is not synced), the program understands rows in the same way.
struct Header {
    char magic[8];
    char index[32];
    char boot[64];
    std::uint32_t row_bytes, uidvalidity;
    std::int64_t mailbox;
    std::uint64_t modseq, count;
};

template <std::size_t kSize>
void copy_to(char (&target)[kSize], std::string_view text) {
    std::memcpy(target, text.data(), std::min(kSize, text.size()));
}

Result<Header> header_for(State& state, const Record& record) {
    Header header{};
    copy_to(header.magic, "gkrows1");
    GK_TRY(auto query, state.index.prepare("SELECT value FROM account WHERE key = 'index'"));
    GK_TRY(const bool row, query.step());
    if (row) copy_to(header.index, query.text(0));
    query.reset();
    copy_to(header.boot, maildir::boot_id());
    header.row_bytes = sizeof(Row);
    header.uidvalidity = record.uidvalidity;
    header.mailbox = record.number;
    header.modseq = record.modseq;
    header.count = record.messages;
    return header;
}

std::string path_of(const State& state, std::int64_t mailbox) {
    return fmt::format("{}{}/{}", state.home, kFolder, mailbox);
}

// Rows as they were, and how many changed or went since.
struct Kept {
    Rows rows;
    ModSeq modseq = 0;
};

std::optional<Kept> map_file(State& state, const Record& record) {
    const os::Fd fd(::open(path_of(state, record.number).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return std::nullopt;
    Header found{};
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || ::pread(fd.get(), &found, sizeof found, 0) != sizeof found)
        return std::nullopt;
    auto wanted = header_for(state, record);
    if (!wanted || found.modseq > record.modseq || found.count > UINT32_MAX) return std::nullopt;
    wanted->modseq = found.modseq;
    wanted->count = found.count;
    if (std::memcmp(&found, &*wanted, sizeof found) != 0 || found.count == 0 ||
        static_cast<std::uint64_t>(status.st_size) != kRowsAt + found.count * sizeof(Row))
        return std::nullopt;
    return Kept{Rows::map(fd.get(), kRowsAt, found.count), found.modseq};
}

void remove_ranges(Rows& rows, const std::vector<UidRange>& ranges) {
    if (ranges.empty()) return;
    const auto less = [](const Row& row, Uid uid) { return row.uid < uid; };
    Row* kept = std::lower_bound(rows.begin(), rows.end(), ranges.front().first, less);
    Row* from = kept;
    for (const UidRange& range : ranges) {
        Row* const gone = std::lower_bound(from, rows.end(), range.first, less);
        kept = std::move(from, gone, kept);
        from = std::lower_bound(gone, rows.end(), range.last, less);
        if (from != rows.end() && from->uid == range.last) ++from;
    }
    kept = std::move(from, rows.end(), kept);
    rows.truncate(static_cast<std::size_t>(kept - rows.begin()));
}

// False where it does not add up.
Result<bool> bring_up_to_date(State& state, const Record& record, Kept& kept, bool& old) {
    const std::size_t many = kept.rows.size() / 8 + 64;
    if (kept.modseq == record.modseq) return kept.rows.size() == record.messages;
    GK_TRY(const auto vanished, vanished_in(state, record, kept.modseq));
    if (!vanished.exact) return false;
    GK_TRY(const auto touched, touched_since(state, record.number, kept.modseq));
    std::uint64_t width = 0;
    for (const UidRange& range : touched)
        width += std::min<std::uint64_t>(range.last, record.uidnext) - std::min(range.first, record.uidnext) + 1;
    if (width > many) return false;
    Rows changed;
    GK_TRY(auto query, state.index.prepare("SELECT key, modseq, flags, keywords, internal_date, saved_date, size FROM "
                                           "messages WHERE key BETWEEN ? AND ? AND modseq > ?"));
    for (const UidRange& range : touched) {
        query.bind(row_key(record.number, range.first)).bind(row_key(record.number, range.last));
        GK_CHECK(read_rows(query.bind(static_cast<std::int64_t>(kept.modseq)), changed));
    }
    Rows& rows = kept.rows;
    remove_ranges(rows, vanished.ranges);
    for (const Row& row : changed) {
        if (rows.empty() || row.uid > rows.back().uid) {
            rows.push_back(row);
            continue;
        }
        Row* const at =
            std::lower_bound(rows.begin(), rows.end(), row.uid, [](const Row& one, Uid uid) { return one.uid < uid; });
        if (at == rows.end() || at->uid != row.uid) return false;
        *at = row;
    }
    old = changed.size() > many / 8 || !vanished.ranges.empty();
    return rows.size() == record.messages;
}

// Drafts "NUMBER.ID" of writers that were killed; none is written for so long.
void remove_old_drafts(const std::string& folder) {
    constexpr std::int64_t kOld = 3600;
    const auto entries = os::list_directory(folder);
    if (!entries) return;
    for (const auto& entry : *entries) {
        struct stat status {};
        const std::string path = folder + '/' + entry.name;
        if (entry.name.find('.') == std::string::npos || ::lstat(path.c_str(), &status) != 0) continue;
        if (S_ISREG(status.st_mode) && status.st_mtim.tv_sec < now_s() - kOld) (void)::unlink(path.c_str());
    }
}

}  // namespace

std::optional<Outline> read_outline(State& state, const Record& record) {
    if (record.messages < kOutlinedFrom) return std::nullopt;
    auto kept = map_file(state, record);
    if (!kept || kept->rows.empty()) return std::nullopt;
    Outline outline;
    const auto good = bring_up_to_date(state, record, *kept, outline.old);
    if (!good || !*good) return std::nullopt;
    outline.rows = std::move(kept->rows);
    return outline;
}

Status write_outline(State& state, std::int64_t mailbox, std::uint32_t uidvalidity) {
    GK_TRY(const auto view, ReadTransaction::begin(state));
    GK_TRY(const auto record, get_record(state, mailbox, uidvalidity));
    if (record.messages < kOutlinedFrom) return ok();
    Rows rows;
    rows.reserve(record.messages);
    GK_TRY(auto query, state.index.prepare("SELECT key, modseq, flags, keywords, internal_date, saved_date, size FROM "
                                           "messages WHERE key BETWEEN ? AND ?"));
    GK_CHECK(read_rows(query.bind(row_key(mailbox, 0)).bind(row_key(mailbox, 0xffffffff)), rows));
    if (rows.size() != record.messages) return ok();
    GK_TRY(const Header header, header_for(state, record));
    GK_CHECK(os::make_directories(state.home + std::string(kFolder)));
    remove_old_drafts(state.home + std::string(kFolder));
    const std::string path = path_of(state, mailbox), draft = fmt::format("{}.{}", path, new_id());
    GK_TRY(auto file, os::NewFile::create(draft));
    const auto bytes = [](const auto* first, std::size_t count) {
        return std::string_view(reinterpret_cast<const char*>(first), count);
    };
    Status done = file.write(bytes(&header, sizeof header));
    if (done) done = file.write_at(kRowsAt, bytes(rows.begin(), rows.size() * sizeof(Row)));
    if (done) done = file.close();
    if (done) done = os::rename(draft, path);
    if (!done) file.unlink();
    return done;
}

void forget_outline(State& state, std::int64_t mailbox) { (void)::unlink(path_of(state, mailbox).c_str()); }

}  // namespace gk::store
