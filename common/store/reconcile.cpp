// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/stat.h>
#include <algorithm>
#include <unordered_map>

#include "common/base/text.hpp"
#include "common/maildir/listing.hpp"
#include "common/maildir/name.hpp"
#include "common/maildir/state.hpp"
#include "common/os/file.hpp"
#include "common/store/state.hpp"
#include "common/store/together.hpp"

// Brings the rows of a mailbox into line with its files: they are the truth. Names say nearly all, so known files cost
// no system call of their own.
namespace gk::store {

namespace {

constexpr std::int64_t kTrustedAgeNs = 2'000'000'000;  // file systems with whole seconds, and clocks that lag
constexpr std::uint32_t kSmall = 2000;                 // below this many messages a look costs less than doubt

// A directory whose mtime is NOW and was STORED when last read. Doubt about an equal one ends two seconds after the
// change; looking earlier would only leave it as it is, and looking at a great mailbox for our own change is left to
// idle moments.
bool directory_changed(std::int64_t now, std::int64_t stored, int trust, std::uint32_t messages, bool thorough) {
    if (now != stored) return true;
    if (trust == kTrusted) return false;
    if (thorough) return true;
    const bool settled = now_ns() - now > kTrustedAgeNs;
    return trust == kOwnChange ? settled && messages <= kSmall : settled || messages <= kSmall;
}

int trust_of(std::int64_t mtime_ns, std::int64_t read_at_ns) {
    return read_at_ns - mtime_ns > kTrustedAgeNs ? kTrusted : kTooYoung;
}

// Rows already in the index, by the base of their file's name.
struct Known {
    StoredRow stored;
    bool seen = false;
};

struct Measured {
    std::int64_t internal_date = 0;
    std::uint64_t size = 0;
};

// Octets with CRLF line ends: a LF counts two unless a CR stands before it.
std::uint64_t count_wire_octets(std::string_view bytes) {
    std::uint64_t octets = bytes.size();
    for (std::size_t at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1))
        if (at == 0 || bytes[at - 1] != '\r') ++octets;
    return octets;
}

// Nothing where the file is gone again or is none.
std::optional<Measured> measure(const std::string& path, const maildir::FileName& name) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    Measured measured{status.st_mtim.tv_sec, 0};
    const auto bytes = static_cast<std::uint64_t>(status.st_size);
    // W= is believed where it can be true and S= is right too: a message is at most twice as long on the wire.
    if (name.wire && name.size.value_or(bytes) == bytes && *name.wire >= bytes && *name.wire / 2 <= bytes) {
        measured.size = *name.wire;
        return measured;
    }
    const auto file = os::MappedFile::open(path);
    if (!file) return std::nullopt;
    measured.size = count_wire_octets(file->bytes());
    return measured;
}

// Delivery order as far as names tell it: seconds first, then the name itself (microseconds, count).
bool earlier(std::string_view a, std::string_view b) {
    const auto seconds = [](std::string_view name) {
        return text::to_uint(name.substr(0, name.find_first_not_of("0123456789"))).value_or(0);
    };
    const auto left = seconds(a), right = seconds(b);
    return left != right ? left < right : a < b;
}

bool has_flags_of(const StoredRow& stored, std::string_view name) {
    const auto parsed = maildir::parse_name(name);
    const auto letters = maildir::parse_letters(parsed ? parsed->letters : std::string_view());
    return letters.flags == stored.row.flags &&
           letters.keywords == static_cast<std::uint32_t>(stored.row.keywords & kLetterKeywords);
}

class Reconciler {
public:
    Reconciler(State& state, Record& record) : state_(state), record_(record), path_(state.path_of(record.name)) {}

    Status run(bool everything);

private:
    Status read_uidlist();
    Status start_anew(std::uint32_t validity);
    Result<bool> guid_is_taken(const std::string& guid);
    Status read_directories(maildir::Listing& listing) const;
    Status load_known();
    Status match(const maildir::Listing& listing);
    Status update(Known& known, std::string file);
    Status expunge_missing();
    Status add_found();
    Status add(const std::string& file, Uid uid, std::string_view extra);
    ModSeq modseq();

    State& state_;
    Record& record_;
    std::string path_;
    bool scan_cur_ = true, rebuild_ = false, rewrite_uidlist_ = false;
    bool compare_flags_ = false;  // also where the name is the one we know: after a boot, and for repair
    ModSeq modseq_ = 0;
    Uid uidnext_before_ = 1;
    std::string uidlist_bytes_;
    std::unordered_map<std::string_view, maildir::UidEntry> uids_;  // of the file, by base
    std::unordered_map<std::string_view, std::size_t> by_base_;
    std::vector<Known> known_;
    std::vector<std::string> found_;  // files without a row
    std::unordered_map<std::string, bool> found_bases_;
    maildir::MailboxState file_state_;
    std::uint32_t letters_ = 0;
};

// One mod-sequence for all that this look finds.
ModSeq Reconciler::modseq() {
    if (modseq_ == 0) modseq_ = ++record_.modseq;
    return modseq_;
}

Status Reconciler::start_anew(std::uint32_t validity) {
    GK_CHECK(delete_messages(state_, record_.number));
    record_.uidvalidity = validity;
    record_.messages = record_.unseen = record_.deleted = 0;
    record_.bytes = record_.deleted_bytes = 0;
    record_.adopted = 0;
    record_.recent_floor = 1;
    record_.guid.clear();
    rebuild_ = true;
    return ok();
}

// Somebody copied a mailbox's directory with all that was in it: the copy is another mailbox.
Result<bool> Reconciler::guid_is_taken(const std::string& guid) {
    GK_TRY(auto query, state_.index.prepare("SELECT 1 FROM mailboxes WHERE guid = ? AND number <> ?"));
    GK_TRY(const bool taken, query.bind(guid).bind(record_.number).step());
    query.reset();
    return taken;
}

Status Reconciler::read_uidlist() {
    if (record_.uidvalidity != 0 && uidlist_is_ours(state_, record_)) return ok();
    rewrite_uidlist_ = true;
    auto bytes = os::read_file(path_ + "/dovecot-uidlist", std::uint64_t{1} << 30);
    if (!bytes && bytes.error().code != Errc::NotFound) return fail(bytes.error());
    if (bytes) uidlist_bytes_ = std::move(*bytes);
    const auto list = maildir::parse_uidlist(uidlist_bytes_);
    if (!list) {
        // None, or none that can be believed: the index has the UIDs, or else nobody has.
        if (record_.uidvalidity != 0) return ok();
        GK_TRY(const auto validity, new_uidvalidity(state_));
        return start_anew(validity);
    }
    if (record_.uidvalidity != list->validity) GK_CHECK(start_anew(list->validity));
    if (!list->guid.empty()) {
        GK_TRY(const bool taken, guid_is_taken(list->guid));
        record_.guid = taken ? std::string() : list->guid;
    }
    uidnext_before_ = rebuild_ ? 1 : record_.uidnext;
    record_.uidnext = rebuild_ ? list->next : std::max(record_.uidnext, list->next);
    uids_.reserve(list->entries.size());
    for (const auto& entry : list->entries) uids_.emplace(entry.name, entry);
    const auto stamp = maildir::stamp_of(path_ + "/dovecot-uidlist");
    record_.uidlist_inode = stamp.inode;
    record_.uidlist_size = stamp.size;
    record_.uidlist_lines = static_cast<std::int64_t>(list->entries.size());
    // Another's list that is sound is left as it is, and appended to.
    rewrite_uidlist_ =
        list->damaged || static_cast<std::size_t>(stamp.size) != uidlist_bytes_.size() || record_.guid.empty();
    return ok();
}

Status Reconciler::read_directories(maildir::Listing& listing) const {
    if (scan_cur_) GK_CHECK(listing.read(path_ + "/cur", false));
    return listing.read(path_ + "/new", true);
}

Status Reconciler::load_known() {
    GK_TRY(auto query,
           state_.index.prepare(
               scan_cur_ ? "SELECT key, modseq, flags, keywords, size, file FROM messages WHERE key BETWEEN ? AND ?"
                         : "SELECT key, modseq, flags, keywords, size, file FROM messages WHERE key BETWEEN ? AND ? "
                           "AND mailbox = ? AND file >= 'new/'"));
    query.bind(row_key(record_.number, 0)).bind(row_key(record_.number, 0xffffffff));
    if (!scan_cur_) query.bind(record_.number);
    if (scan_cur_) known_.reserve(record_.messages);
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        Known known;
        known.stored.row.uid = static_cast<Uid>(query.integer(0) & 0xffffffff);
        known.stored.row.modseq = static_cast<ModSeq>(query.integer(1));
        known.stored.row.flags = static_cast<Flags>(query.integer(2));
        known.stored.row.keywords = static_cast<KeywordMask>(query.integer(3));
        known.stored.row.size = static_cast<std::uint64_t>(query.integer(4));
        known.stored.file = query.text(5);
        known_.push_back(std::move(known));
    }
    by_base_.reserve(known_.size());
    // Another's list may lack messages of ours, or number them otherwise: ours were told to clients.
    if (!uids_.empty() && !rewrite_uidlist_)
        rewrite_uidlist_ = std::any_of(known_.begin(), known_.end(), [this](const Known& known) {
            const auto at = uids_.find(base_of_file(known.stored.file));
            return at == uids_.end() || at->second.uid != known.stored.row.uid;
        });
    for (std::size_t i = 0; i < known_.size(); ++i) by_base_.emplace(base_of_file(known_[i].stored.file), i);
    return ok();
}

Status Reconciler::update(Known& known, std::string file) {
    StoredRow& stored = known.stored;
    const auto parsed = maildir::parse_name(std::string_view(file).substr(4));
    const auto letters = maildir::parse_letters(parsed ? parsed->letters : std::string_view());
    const Row before = stored.row;
    stored.row.flags = letters.flags;
    stored.row.keywords = (stored.row.keywords & ~kLetterKeywords) | letters.keywords;
    letters_ |= letters.keywords;
    // The view in by_base_ still points into the old text: keep that alive by replacing only the column.
    if (before.flags != stored.row.flags || before.keywords != stored.row.keywords) stored.row.modseq = modseq();
    StoredRow after{stored.row, std::move(file), {}};
    return update_message(state_, record_, before, after);
}

Status Reconciler::match(const maildir::Listing& listing) {
    for (std::size_t i = 0; i < listing.size(); ++i) {
        const char* sub = listing.is_new(i) ? "new/" : "cur/";
        const auto at = by_base_.find(listing.base(i));
        if (at == by_base_.end()) {
            // The same base twice is one message (a tool's rename caught half way): cur/ is read first.
            if (found_bases_.emplace(std::string(listing.base(i)), true).second)
                found_.push_back(sub + std::string(listing.name(i)));
            continue;
        }
        Known& known = known_[at->second];
        if (known.seen) continue;
        known.seen = true;
        const std::string_view file = known.stored.file;
        if (file.substr(0, 4) == sub && file.substr(4) == listing.name(i) &&
            (!compare_flags_ || has_flags_of(known.stored, listing.name(i))))
            continue;
        GK_CHECK(update(known, sub + std::string(listing.name(i))));
    }
    return ok();
}

Status Reconciler::expunge_missing() {
    const auto missing = [this] {
        return std::any_of(known_.begin(), known_.end(), [](const Known& known) { return !known.seen; });
    };
    if (!missing()) return ok();
    // readdir may pass over a name that is renamed meanwhile: gone is what is not there twice. Where only new/ was
    // read, the second look is at cur/ too.
    scan_cur_ = true;
    maildir::Listing again;
    GK_CHECK(read_directories(again));
    std::unordered_map<std::string_view, std::size_t> entries;
    entries.reserve(again.size());
    for (std::size_t i = 0; i < again.size(); ++i) entries.emplace(again.base(i), i);
    std::vector<Uid> gone;
    std::vector<Row> rows;
    for (auto& known : known_) {
        if (known.seen) continue;
        const auto at = entries.find(base_of_file(known.stored.file));
        if (at == entries.end()) {
            rows.push_back(known.stored.row);
            gone.push_back(known.stored.row.uid);
            continue;
        }
        known.seen = true;
        GK_CHECK(update(known, (again.is_new(at->second) ? "new/" : "cur/") + std::string(again.name(at->second))));
    }
    if (gone.empty()) return ok();
    GK_CHECK(delete_messages(state_, record_, rows));
    return record_expunged(state_, record_, gone, modseq());
}

Status Reconciler::add(const std::string& file, Uid uid, std::string_view extra) {
    const auto parsed = maildir::parse_name(std::string_view(file).substr(4));
    if (!parsed) return ok();
    const auto measured = measure(path_ + '/' + file, *parsed);
    if (!measured) return ok();
    const auto letters = maildir::parse_letters(parsed->letters);
    StoredRow stored{{}, file, std::string(extra)};
    stored.row = {uid,
                  letters.flags,
                  modseq(),
                  letters.keywords,
                  measured->internal_date,
                  saved_date_of(file, measured->internal_date),
                  measured->size};
    letters_ |= letters.keywords;
    if (file_state_.uidvalidity == record_.uidvalidity)
        for (const auto& [bit, ranges] : file_state_.messages)
            for (const auto& [first, last] : ranges)
                if (uid >= first && uid <= last) stored.row.keywords |= KeywordMask{1} << bit;
    return insert_message(state_, record_, stored);
}

Status Reconciler::add_found() {
    if (found_.empty()) return ok();
    std::vector<std::pair<Uid, std::size_t>> numbered;
    std::vector<std::size_t> others;
    for (std::size_t i = 0; i < found_.size(); ++i) {
        const auto at = uids_.find(base_of_file(found_[i]));
        // Of a UID below what we gave out already nobody knows but us: it was expunged, and stays so.
        if (at != uids_.end() && at->second.uid >= uidnext_before_) numbered.emplace_back(at->second.uid, i);
        else others.push_back(i);
    }
    std::sort(numbered.begin(), numbered.end());
    for (const auto& [uid, i] : numbered) {
        GK_CHECK(add(found_[i], uid, uids_.find(base_of_file(found_[i]))->second.extra));
        record_.adopted = std::max(record_.adopted, uid);  // who delivers it may be about to give it a row
    }
    if (others.empty()) return ok();
    std::sort(others.begin(), others.end(), [this](std::size_t a, std::size_t b) {
        return earlier(base_of_file(found_[a]), base_of_file(found_[b]));
    });
    GK_CHECK(reserve(state_, record_, static_cast<std::uint32_t>(others.size())));
    std::string lines;
    for (const std::size_t i : others) {
        const Uid uid = record_.uidnext++;
        GK_CHECK(add(found_[i], uid, ""));
        record_.adopted = uid;
        maildir::append_uidlist_line(lines, uid, "", base_of_file(found_[i]));
    }
    if (rewrite_uidlist_) return ok();
    return append_uidlist(state_, record_, lines, others.size());
}

Status Reconciler::run(bool everything) {
    const bool first_this_boot = record_.boot != maildir::boot_id();
    GK_CHECK(finish_what_was_begun(state_, record_));
    const auto started = now_ns();
    const auto new_stamp = maildir::stamp_of(path_ + "/new"), cur_stamp = maildir::stamp_of(path_ + "/cur");
    if (new_stamp.inode == 0 || cur_stamp.inode == 0) {
        // A tool that made only some of the three, or a mailbox removed just now.
        if (maildir::stamp_of(path_).inode == 0)
            return fail(Errc::NotFound, fmt::format("mailbox '{}' was removed", record_.name));
        for (const char* sub : {"/tmp", "/new", "/cur"}) GK_CHECK(os::make_directories(path_ + sub));
    }
    uidnext_before_ = record_.uidnext;
    GK_CHECK(read_uidlist());
    if (rebuild_ || rewrite_uidlist_ || !uids_.empty() || first_this_boot) {
        everything = true;
        if (const auto bytes = os::read_file(path_ + "/gk-state"); bytes) file_state_ = maildir::parse_state(*bytes);
        GK_CHECK(adopt_keywords(state_, record_));
    }
    if (rebuild_) {
        record_.special_use = file_state_.special_use;
        record_.modseq = std::max<ModSeq>(record_.modseq, file_state_.modseq_ceiling);
        record_.uidnext = std::max(record_.uidnext, file_state_.uid_ceiling);
        record_.boot.clear();
    }
    GK_CHECK(reserve(state_, record_, 0));
    // What is found now gets the next mod-sequence; of expunges before it nobody knows.
    if (rebuild_) record_.history_floor = record_.modseq + 1;
    compare_flags_ = everything;
    scan_cur_ = everything ||
                directory_changed(cur_stamp.mtime_ns, record_.cur_mtime_ns, record_.cur_trust, record_.messages, false);
    const bool read_cur = scan_cur_;
    GK_CHECK(load_known());
    maildir::Listing listing;
    GK_CHECK(read_directories(listing));
    GK_CHECK(match(listing));
    GK_CHECK(expunge_missing());
    GK_CHECK(add_found());
    if (letters_ != 0) GK_CHECK(name_unknown_keywords(state_, record_, letters_));
    if (rebuild_) GK_CHECK(write_state(state_, record_));
    if (rewrite_uidlist_) GK_CHECK(rewrite_uidlist(state_, record_));
    record_.new_mtime_ns = new_stamp.mtime_ns;
    record_.new_trust = trust_of(new_stamp.mtime_ns, started);
    if (read_cur) {
        record_.cur_mtime_ns = cur_stamp.mtime_ns;
        record_.cur_trust = trust_of(cur_stamp.mtime_ns, started);
    }
    if (modseq_ != 0) note_change(state_, record_);
    return save_record(state_, record_);
}

}  // namespace

bool looks_changed(State& state, const Record& record, bool thorough) {
    if (record.uidvalidity == 0 || record.boot != maildir::boot_id()) return true;
    const std::string path = state.path_of(record.name);
    const auto new_mtime = maildir::stamp_of(path + "/new").mtime_ns,
               cur_mtime = maildir::stamp_of(path + "/cur").mtime_ns;
    return !uidlist_is_ours(state, record) ||
           directory_changed(new_mtime, record.new_mtime_ns, record.new_trust, record.messages, thorough) ||
           directory_changed(cur_mtime, record.cur_mtime_ns, record.cur_trust, record.messages, thorough);
}

Status reconcile_mailbox(State& state, Record& record, bool everything) {
    return Reconciler(state, record).run(everything);
}

Status refresh(State& state, Record& record, bool thorough) {
    if (!looks_changed(state, record, thorough)) return ok();
    GK_TRY(auto transaction, WriteTransaction::begin(state));
    GK_TRY(auto current, find_record(state, record.number));
    if (!current) return fail(Errc::NotFound, "the mailbox was removed");
    record = std::move(*current);
    // Another process may have looked while we waited.
    if (!looks_changed(state, record, thorough)) return ok();
    GK_CHECK(reconcile_mailbox(state, record, thorough));
    return transaction.commit();
}

}  // namespace gk::store
