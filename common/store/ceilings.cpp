// SPDX-License-Identifier: MIT
#include "common/store/state.hpp"

#include <fmt/format.h>
#include <limits>

#include "common/maildir/name.hpp"
#include "common/maildir/state.hpp"
#include "common/os/file.hpp"

// UIDs and mod-sequences are never given out twice. The index may lose its last commits with the power, so numbers are
// reserved in blocks in gk-state, durably, before the first of a block is used. After a boot we cannot know which of a
// block were used, so we go on behind it.
namespace gk::store {

namespace {

constexpr std::uint32_t kUidBlock = 1000;
constexpr std::uint64_t kModSeqBlock = 10'000;
constexpr std::uint64_t kMaxModSeq = std::numeric_limits<std::int64_t>::max();  // RFC 7162, 7: 63 bits

Result<maildir::MailboxState> read_state(const std::string& path) {
    const auto bytes = os::read_file(path);
    if (!bytes && bytes.error().code != Errc::NotFound) return fail(bytes.error());
    return maildir::parse_state(bytes ? *bytes : std::string());
}

}  // namespace

Status write_state(State& state, const Record& record) {
    const std::string path = state.path_of(record.name) + "/gk-state";
    GK_TRY(auto file, read_state(path));
    const auto before = file;
    file.boot = record.boot;
    file.uid_ceiling = record.uid_ceiling;
    file.modseq_ceiling = record.modseq_ceiling;
    file.special_use = record.special_use;
    if (file.uidvalidity != record.uidvalidity) file.threads = 0;
    file.uidvalidity = record.uidvalidity;
    file.keywords.clear();
    file.messages.clear();
    GK_TRY(const auto keywords, load_keywords(state, record.number));
    for (unsigned bit = 26; bit < keywords.size(); ++bit) {
        if (keywords[bit].empty()) continue;
        file.keywords[bit] = keywords[bit];
        GK_TRY(auto query, state.index.prepare("SELECT key FROM messages WHERE key BETWEEN ? AND ? AND keywords & ?"));
        query.bind(row_key(record.number, 0))
            .bind(row_key(record.number, 0xffffffff))
            .bind(static_cast<std::int64_t>(KeywordMask{1} << bit));
        std::vector<Uid> uids;
        for (;;) {
            GK_TRY(const bool row, query.step());
            if (!row) break;
            uids.push_back(static_cast<Uid>(query.integer(0) & 0xffffffff));
        }
        if (!uids.empty()) file.messages[bit] = maildir::to_ranges(uids);
    }
    if (file == before) return ok();
    return state.replace(path, maildir::format_state(file));
}

Result<Uid> read_threaded(State& state, const Record& record) {
    GK_TRY(const auto file, read_state(state.path_of(record.name) + "/gk-state"));
    return file.uidvalidity == record.uidvalidity ? file.threads : 0;
}

Status write_threaded(State& state, const Record& record, Uid uid) {
    const std::string path = state.path_of(record.name) + "/gk-state";
    GK_TRY(auto file, read_state(path));
    if (file.uidvalidity == record.uidvalidity && file.threads == uid) return ok();
    file.uidvalidity = record.uidvalidity;
    file.threads = uid;
    return state.replace(path, maildir::format_state(file));
}

Status reserve(State& state, Record& record, std::uint32_t count) {
    const bool same_boot = record.boot == maildir::boot_id();
    if (same_boot && std::uint64_t{record.uidnext} + count <= record.uid_ceiling &&
        record.modseq + 1 < record.modseq_ceiling)
        return ok();
    if (!same_boot) {
        GK_TRY(const auto file, read_state(state.path_of(record.name) + "/gk-state"));
        record.uidnext = std::max(record.uidnext, file.uid_ceiling);
        record.modseq = std::max(record.modseq, file.modseq_ceiling);
        // A message whose row was lost with the power got a new UID, and nobody remembers the old one that clients may
        // have been told.
        record.history_floor = std::max(record.history_floor, record.modseq);
        record.boot = maildir::boot_id();
    }
    const std::uint64_t ceiling = std::uint64_t{record.uidnext} + count + kUidBlock;
    if (ceiling >= std::numeric_limits<Uid>::max() || record.modseq >= kMaxModSeq - kModSeqBlock)
        return fail(Errc::Permanent,
                    fmt::format("mailbox '{}' has used up its UIDs: remove its dovecot-uidlist to number it anew",
                                record.name));
    record.uid_ceiling = static_cast<Uid>(ceiling);
    record.modseq_ceiling = record.modseq + kModSeqBlock;
    return write_state(state, record);
}

Result<std::uint32_t> new_uidvalidity(State& state) {
    // Seconds, so that a mailbox made anew under an old name has a greater one even where the index was lost
    // (RFC 9051, 2.3.1.1); one more than the last where several are made in a second.
    GK_TRY(auto query, state.index.prepare("SELECT max(coalesce((SELECT value FROM account WHERE key = 'uidvalidity'), "
                                           "0), coalesce((SELECT max(uidvalidity) FROM mailboxes), 0))"));
    GK_TRY(const bool row, query.step());
    const std::int64_t last = row ? query.integer(0) : 0;
    query.reset();
    const std::int64_t next = std::max(now_s(), last + 1);
    if (next >= std::numeric_limits<std::uint32_t>::max())
        return fail(Errc::Permanent, "the account has used up its UIDVALIDITY values");
    GK_TRY(auto save, state.index.prepare("INSERT OR REPLACE INTO account(key, value) VALUES('uidvalidity', ?)"));
    GK_CHECK(save.bind(next).run());
    return static_cast<std::uint32_t>(next);
}

}  // namespace gk::store
