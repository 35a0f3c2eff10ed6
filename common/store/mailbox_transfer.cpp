// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>

#include "common/maildir/name.hpp"
#include "common/maildir/uidlist.hpp"
#include "common/os/file.hpp"
#include "common/store/mailbox.hpp"
#include "common/store/object_id.hpp"
#include "common/store/state.hpp"

// COPY and MOVE (RFC 9051, 6.4.7 and 6.4.8): all or none, in one transaction over both mailboxes.
namespace gk::store {

namespace {

// Removes the new names again unless keep() was called.
class Links {
public:
    Links(const Directory& from, const Directory& to) : from_(from), to_(to) {}
    Links(const Links&) = delete;
    ~Links() {
        for (const auto& name : made_) (void)::unlinkat(to_.at(name).fd, to_.at(name).name, 0);
    }
    Status add(const std::string& from, const std::string& to) {
        const auto old = from_.at(from), made = to_.at(to);
        if (::linkat(old.fd, old.name, made.fd, made.name, 0) == 0) {
            made_.push_back(to);
            return ok();
        }
        // No more links (EMLINK), or a file system without them: a copy with the same dates, which gets its name when
        // it is whole.
        if (errno != EMLINK && errno != EPERM && errno != EXDEV && errno != EOPNOTSUPP)
            return fail_errno(fmt::format("cannot link '{}/{}' to '{}/{}'", from_.path, from, to_.path, to));
        return copy(from_.path + '/' + from, to);
    }
    void keep() noexcept { made_.clear(); }

private:
    Status copy(const std::string& from, const std::string& to) {
        const std::string draft = "tmp/" + to.substr(to.find('/') + 1);
        GK_TRY(const auto source, os::MappedFile::open(from));
        GK_TRY(auto file, os::NewFile::create(to_.path + '/' + draft));
        made_.push_back(draft);
        GK_CHECK(file.write(source.bytes()));
        struct stat status {};
        if (::stat(from.c_str(), &status) == 0) {
            const timespec times[2] = {status.st_atim, status.st_mtim};
            (void)::futimens(file.fd(), times);
        }
        GK_CHECK(file.sync());
        GK_CHECK(file.close());
        GK_CHECK(os::rename_new(to_.path + '/' + draft, to_.path + '/' + to));
        made_.back() = to;
        return ok();
    }

    const Directory &from_, &to_;
    std::vector<std::string> made_;  // below TO
};

// A keyword has another bit in another mailbox.
Result<std::vector<KeywordMask>> map_keywords(State& state, const Record& from, const Record& to,
                                              const std::vector<StoredRow>& messages) {
    std::vector<KeywordMask> mapped(kMaxKeywords, 0);
    KeywordMask used = 0;
    for (const auto& message : messages) used |= message.row.keywords;
    if (used == 0) return mapped;
    GK_TRY(const auto names, load_keywords(state, from.number));
    for (unsigned bit = 0; bit < kMaxKeywords; ++bit) {
        if ((used >> bit & 1) == 0 || names[bit].empty()) continue;
        GK_TRY(mapped[bit], ensure_keywords(state, to, {names[bit]}));
    }
    return mapped;
}

KeywordMask translate(KeywordMask keywords, const std::vector<KeywordMask>& mapped) {
    KeywordMask out = 0;
    for (unsigned bit = 0; keywords != 0; ++bit, keywords >>= 1)
        if ((keywords & 1) != 0) out |= mapped[bit];
    return out;
}

// The size fields of a base, for the new one: ",S=28,W=32".
std::string_view size_fields(std::string_view base) {
    const auto comma = base.find(",S=");
    return comma == std::string_view::npos ? std::string_view() : base.substr(comma);
}

// SQLite keeps what one statement copies within a table in memory until it is whole.
constexpr std::size_t kCopiedAtOnce = 256;

// What is kept of messages besides their rows, for the copies: a statement for each run of UIDs.
Status copy_kept(State& state, const Record& source, const Record& target,
                 const std::vector<std::pair<Uid, Uid>>& uids) {
    for (std::size_t i = 0; i < uids.size();) {
        const auto [from, to] = uids[i];
        std::size_t run = 1;
        while (run < kCopiedAtOnce && i + run < uids.size() && uids[i + run].first == from + run &&
               uids[i + run].second == to + run)
            ++run;
        const std::int64_t first = row_key(source.number, from);
        for (const char* sql :
             {"INSERT INTO structures(key, envelope, body_structure, structure) SELECT key + ?, envelope, "
              "body_structure, structure FROM structures WHERE key BETWEEN ? AND ?",
              "INSERT INTO previews(key, preview) SELECT key + ?, preview FROM previews WHERE key BETWEEN ? AND ?",
              // The copy is in the same conversation, for good.
              "INSERT INTO threads SELECT key + ?, thread, sent, own, ancestors, subject, reply FROM threads WHERE key "
              "BETWEEN ? AND ?"}) {
            GK_TRY(auto insert, state.index.prepare(sql));
            insert.bind(row_key(target.number, to) - first).bind(first);
            GK_CHECK(insert.bind(first + static_cast<std::int64_t>(run) - 1).run());
        }
        i += run;
    }
    return ok();
}

// The field that says so in the uidlist.
Status add_thread_field(State& state, std::int64_t from, std::string& fields) {
    GK_TRY(auto query, state.index.prepare("SELECT thread FROM threads WHERE key = ?"));
    GK_TRY(const bool row, query.bind(from).step());
    if (!row) return ok();
    fields = with_uidlist_field(fields, 'T', thread_id(static_cast<std::uint64_t>(query.integer(0))));
    query.reset();
    return ok();
}

struct Transfer {
    State& state;
    bool moving;
    Directory from, to;
    Copied copied;
    ModSeq source_modseq = 0;

    // In a write transaction. TARGET may be SOURCE: then both are one record.
    Status run(Record& source, Record& target, std::span<const Uid> uids, Links& links, Renames& renames);
};

Status Transfer::run(Record& source, Record& target, std::span<const Uid> uids, Links& links, Renames& renames) {
    GK_TRY(const auto messages, load_messages(state, source.number, uids));
    copied.uidvalidity = target.uidvalidity;
    if (messages.empty()) return ok();
    if (!moving) {
        std::uint64_t bytes = 0;
        for (const auto& message : messages) bytes += message.row.size;
        GK_CHECK(check_room(state, state.options.quota, messages.size(), bytes));
    }
    if (!uidlist_is_ours(state, target)) GK_CHECK(reconcile_mailbox(state, target, true));
    GK_TRY(const auto mapped, map_keywords(state, source, target, messages));
    GK_CHECK(reserve(state, source, 0));
    GK_CHECK(reserve(state, target, static_cast<std::uint32_t>(messages.size())));
    const OwnChange source_change(state, source), target_change(state, target);
    const ModSeq modseq = ++target.modseq;
    const auto saved = now_s();
    std::string lines;
    bool high_keywords = false;
    std::vector<Row> gone;
    for (const auto& message : messages) {
        std::string file = message.file;
        // It has another name there, and stays the same message all the same.
        StoredRow arrived{message.row, {}, "G" + message_guid(base_of_file(file), message.extra)};
        if (const auto thread = uidlist_field(message.extra, 'T'); !thread.empty())
            arrived.extra = with_uidlist_field(arrived.extra, 'T', thread);
        arrived.row.keywords = translate(message.row.keywords, mapped);
        const std::string base = maildir::unique_base() + std::string(size_fields(base_of_file(file)));
        arrived.file = "cur/" + base;
        arrived.file = renamed_file(arrived.file, arrived.row.flags, arrived.row.keywords);
        const auto place = [&] { return moving ? renames.rename(file, arrived.file) : links.add(file, arrived.file); };
        auto done = place();
        if (!done && done.error().os_errno == ENOENT) {
            file = find_file(from.path, base_of_file(file));
            if (file.empty()) continue;  // a foreign tool removed it
            done = place();
        }
        GK_CHECK(done);
        arrived.row.uid = target.uidnext++;
        arrived.row.modseq = modseq;
        arrived.row.saved_date = saved_date_of(arrived.file, saved);
        GK_CHECK(add_thread_field(state, row_key(source.number, message.row.uid), arrived.extra));
        GK_CHECK(insert_message(state, target, arrived));
        maildir::append_uidlist_line(lines, arrived.row.uid, arrived.extra, base);
        high_keywords |= (arrived.row.keywords & ~kLetterKeywords) != 0;
        copied.uids.emplace_back(message.row.uid, arrived.row.uid);
        if (!moving) continue;
        gone.push_back(message.row);
    }
    if (copied.uids.empty()) return ok();
    GK_CHECK(copy_kept(state, source, target, copied.uids));
    GK_CHECK(append_uidlist(state, target, lines, copied.uids.size()));
    if (!gone.empty()) {
        GK_CHECK(delete_messages(state, source, gone));
        source_modseq = ++source.modseq;
        std::vector<Uid> expunged;
        for (const Row& row : gone) expunged.push_back(row.uid);
        GK_CHECK(record_expunged(state, source, expunged, source_modseq));
    }
    if (high_keywords) GK_CHECK(write_state(state, target));
    source_change.done(state, source);
    target_change.done(state, target);
    GK_CHECK(save_record(state, target));
    note_change(state, target);
    if (&source == &target || !moving) return ok();
    note_change(state, source);
    return save_record(state, source);
}

Result<Copied> transfer(Account& account, std::int64_t number, std::uint32_t uidvalidity, std::span<const Uid> uids,
                        std::string_view target_name, bool moving, ModSeq* modseq) {
    State& state = account.state();
    std::optional<Transfer> work;
    {
        const Locked lock(state);
        GK_TRY(auto target, get_mailbox(state, target_name));
        GK_TRY(auto transaction, WriteTransaction::begin(state));
        GK_TRY(auto source, get_record(state, number, uidvalidity));
        GK_TRY(target, get_record(state, target.number, target.uidvalidity));
        work.emplace(Transfer{
            state, moving, Directory(state.path_of(source.name)), Directory(state.path_of(target.name)), {}, 0});
        Links links(work->from, work->to);
        Renames renames(work->from, work->to);
        GK_CHECK(work->run(source, source.number == target.number ? source : target, uids, links, renames));
        GK_CHECK(transaction.commit());
        links.keep();
        renames.keep();
    }
    if (modseq != nullptr) *modseq = work->source_modseq;
    if (work->copied.uids.empty()) return std::move(work->copied);
    // The new names before the old ones are gone for good.
    maildir::Syncer& syncer = state.writer->syncer();
    for (const auto* place : {&work->to, &work->from}) {
        if (place == &work->from && (!moving || work->from.path == work->to.path)) continue;
        GK_TRY(const auto directory, syncer.open(place->path));
        GK_CHECK(syncer.sync_directory(*directory, "cur"));
    }
    return std::move(work->copied);
}

}  // namespace

Result<Copied> Mailbox::copy(std::span<const Uid> uids, std::string_view target) {
    return transfer(*account_, number_, uidvalidity_, uids, target, false, nullptr);
}

Result<Copied> Mailbox::move(std::span<const Uid> uids, std::string_view target, ModSeq* modseq) {
    return transfer(*account_, number_, uidvalidity_, uids, target, true, modseq);
}

}  // namespace gk::store
