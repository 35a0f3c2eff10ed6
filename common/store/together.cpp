// SPDX-License-Identifier: MIT
#include "common/store/together.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <unordered_set>

#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::store {

namespace {

// A word and its arguments a line, tabs between: "place TMPNAME SUB/NAME", "remove DIRECTORY BASE" (DIRECTORY as it is
// named in the Maildir, "." for INBOX itself).
constexpr std::string_view kJournal = "/gk-together";
constexpr std::size_t kJournalBytes = 64u << 20;

std::string directory_name(const State& state, const std::string& path) {
    return path == state.root ? "." : path.substr(path.rfind('/') + 1);
}

struct Intent {
    std::vector<std::pair<std::string, std::string>> places;  // "tmp/NAME", "new/NAME" or "cur/NAME"
    std::string from, base;                                   // what is removed, if anything
};

std::string format(const Intent& intent) {
    std::string out;
    for (const auto& [from, to] : intent.places) out += fmt::format("place\t{}\t{}\n", from, to);
    if (!intent.base.empty()) out += fmt::format("remove\t{}\t{}\n", intent.from, intent.base);
    return out;
}

bool is_file_of(std::string_view name, std::string_view sub) {
    return name.starts_with(sub) && name.size() > sub.size() && name.find('/', sub.size()) == std::string_view::npos &&
           name[sub.size()] != '.';
}

// The file is replaced in one rename, so it is whole; what is not understood is left alone.
Intent parse(std::string_view bytes) {
    Intent intent;
    for (const auto line : text::split(bytes, '\n')) {
        const auto words = text::split(line, '\t');
        if (words.size() != 3) continue;
        if (words[0] == "place" && is_file_of(words[1], "tmp/") &&
            (is_file_of(words[2], "new/") || is_file_of(words[2], "cur/")))
            intent.places.emplace_back(words[1], words[2]);
        const bool named = words[1] == "." || (words[1].starts_with('.') && words[1] != "..");
        if (words[0] == "remove" && named && words[1].find('/') == std::string_view::npos && !words[2].empty() &&
            words[2].find('/') == std::string_view::npos) {
            intent.from = words[1];
            intent.base = words[2];
        }
    }
    return intent;
}

// FILE is its name as last seen, or empty.
Status unlink_message(const std::string& path, std::string_view base, std::string file = {}) {
    if (file.empty() || !os::exists(path + '/' + file)) file = find_file(path, base);
    if (file.empty()) return ok();
    auto done = os::unlink(path + '/' + file);
    return done || done.error().os_errno == ENOENT ? ok() : done;
}

}  // namespace

Status finish_what_was_begun(State& state, const Record& record) {
    const std::string path = state.path_of(record.name), journal = path + std::string(kJournal);
    if (::access(journal.c_str(), F_OK) != 0) return ok();
    GK_TRY(const std::string bytes, os::read_file(journal, kJournalBytes));
    const Intent intent = parse(bytes);
    maildir::Listing listing;
    for (const char* sub : {"/new", "/cur"}) GK_CHECK(listing.read(path + sub, false));
    std::unordered_set<std::string_view> placed;
    for (std::size_t i = 0; i < listing.size(); ++i) placed.insert(listing.base(i));
    const bool begun = std::any_of(intent.places.begin(), intent.places.end(),
                                   [&](const auto& place) { return placed.contains(base_of_file(place.second)); });
    for (const auto& [from, to] : intent.places) {
        const std::string draft = path + '/' + from;
        if (!os::exists(draft)) continue;
        if (begun) GK_CHECK(os::rename_new(draft, path + '/' + to));
        else GK_CHECK(os::unlink(draft));
    }
    if (begun) {
        for (const char* sub : {"/new", "/cur"}) GK_CHECK(os::sync_directory(path + sub));
        if (!intent.base.empty())
            GK_CHECK(unlink_message(intent.from == "." ? state.root : state.root + '/' + intent.from, intent.base));
    }
    return os::unlink(journal);
}

Status Together::run() {
    maildir::Writer& writer = *state.writer;
    std::vector<maildir::NewMessage*> all;
    Intent intent;
    for (const auto& placement : placements) {
        intent.places.emplace_back("tmp/" + placement.message->name(),
                                   (placement.sub == maildir::Sub::New ? "new/" : "cur/") + placement.name);
        all.push_back(placement.message);
    }
    GK_CHECK(writer.sync(all));

    const Locked lock(state);
    GK_TRY(auto transaction, WriteTransaction::begin(state));
    GK_TRY(auto target, get_record(state, arrival.mailbox, uidvalidity));
    const std::string path = state.path_of(target.name), journal = path + std::string(kJournal);
    if (os::exists(journal) || !uidlist_is_ours(state, target)) GK_CHECK(reconcile_mailbox(state, target, true));
    std::optional<Record> other;
    std::optional<StoredRow> old;
    std::string source_path;
    if (replaced != 0) {
        GK_TRY(auto from, get_record(state, source, source_uidvalidity));
        source_path = state.path_of(from.name);
        if (from.number != target.number) other = std::move(from);
        GK_TRY(old, load_message(state, source, replaced));
        if (!old ||
            (!os::exists(source_path + '/' + old->file) && find_file(source_path, base_of_file(old->file)).empty()))
            return fail(Errc::NotFound, "the message to be replaced is gone");
        intent.from = directory_name(state, source_path);
        intent.base = base_of_file(old->file);
    }
    GK_CHECK(state.replace(journal, format(intent)));
    const auto undo = [&](const Status& failed) {
        for (auto* const message : all) message->abandon();
        (void)os::unlink(journal);
        return failed;
    };
    for (const auto& placement : placements)
        if (const Status placed = writer.place(placement); !placed) return undo(placed);
    if (const Status indexed = index_arrivals_in(state, target, {&arrival}); !indexed) return undo(indexed);
    if (const Status synced = writer.sync_directories(all); !synced) return undo(synced);
    // From here on it has happened, and what fails below is done by the next look at the mailbox.
    const auto finish = [&]() -> Status {
        if (replaced != 0) {
            Record& from = other ? *other : target;
            GK_CHECK(reserve(state, from, 0));
            const OwnChange own(state, from);
            GK_CHECK(unlink_message(source_path, intent.base, old->file));
            GK_CHECK(delete_messages(state, from, {&old->row, 1}));
            GK_CHECK(record_expunged(state, from, {replaced}, ++from.modseq));
            own.done(state, from);
            note_change(state, from);
            GK_CHECK(save_record(state, from));
        }
        return transaction.commit();
    };
    if (!finish()) {
        for (auto& message : arrival.messages) message.uid = 0;
        return ok();
    }
    // Should the power bring the removed message back, the journal, which then comes back too, removes it again.
    (void)os::unlink(journal);
    return ok();
}

}  // namespace gk::store
