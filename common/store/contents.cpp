// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <fmt/format.h>
#include <algorithm>

#include "common/base/text.hpp"
#include "common/message/shown.hpp"
#include "common/store/mailbox.hpp"
#include "common/store/state.hpp"

// What is inside messages: their bytes, and what was found in them once and is kept.
namespace gk::store {

namespace {

constexpr std::size_t kStructuresAtOnce = 200;  // between two looks at the sink, and in one transaction
constexpr std::size_t kEnvelopesAtOnce = 1000;
constexpr std::size_t kFilesAtOnce = 64;

// One range scan where it would not read much more than is wanted, else one look-up each.
bool is_dense(std::span<const Uid> uids) {
    return !uids.empty() && std::uint64_t{uids.back()} - uids.front() <= uids.size() * 4;
}

message::LineEnds line_ends_of(std::uint64_t bytes, std::uint64_t octets) {
    return bytes == octets ? message::LineEnds::AsStored : message::LineEnds::Convert;
}

// TAKE(i, query) for each of UIDS that has a row in the table structures; COLUMNS begin behind the key.
Status each_kept(State& state, std::int64_t mailbox, std::span<const Uid> uids, std::string_view columns,
                 const std::function<void(std::size_t, const db::Statement&)>& take) {
    if (!is_dense(uids)) {
        GK_TRY(auto query, state.index.prepare(fmt::format("SELECT key, {} FROM structures WHERE key = ?", columns)));
        for (std::size_t i = 0; i < uids.size(); ++i) {
            GK_TRY(const bool row, query.bind(row_key(mailbox, uids[i])).step());
            if (!row) continue;
            take(i, query);
            query.reset();
        }
        return ok();
    }
    GK_TRY(auto query,
           state.index.prepare(fmt::format("SELECT key, {} FROM structures WHERE key BETWEEN ? AND ?", columns)));
    query.bind(row_key(mailbox, uids.front())).bind(row_key(mailbox, uids.back()));
    for (std::size_t i = 0;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return ok();
        const Uid uid = static_cast<Uid>(query.integer(0) & 0xffffffff);
        while (i < uids.size() && uids[i] < uid) ++i;
        if (i < uids.size() && uids[i] == uid) take(i, query);
    }
}

}  // namespace

KeptStructure kept_structure(const message::Structure& structure) {
    KeptStructure kept;
    message::append_envelope(kept.envelope, structure.envelope());
    message::append_body(kept.body_structure, structure, true);
    kept.structure = message::serialise(structure);
    return kept;
}

Status keep_structure(State& state, std::int64_t mailbox, Uid uid, const KeptStructure& kept) {
    GK_TRY(auto insert, state.index.prepare("INSERT OR REPLACE INTO structures(key, envelope, body_structure, "
                                            "structure) SELECT ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM messages WHERE "
                                            "key = ?)"));
    const std::int64_t key = row_key(mailbox, uid);
    insert.bind(key).bind_blob(kept.envelope).bind_blob(kept.body_structure).bind_blob(kept.structure).bind(key);
    return insert.run();
}

// The names of files that are about to be opened, and their directory.
struct Mailbox::Files {
    os::Fd directory;
    struct Name {
        Uid uid;
        std::string file;
        std::uint64_t size;
    };
    std::vector<Name> names;  // sorted by UID
};

Status Mailbox::expect(std::span<const Uid> uids) {
    State& state = account_->state();
    const Locked lock(state);
    if (!files_) {
        GK_TRY(const auto record, get_record(state, number_, uidvalidity_));
        auto files = std::make_shared<Files>();
        files->directory = os::Fd(::open(state.path_of(record.name).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!files->directory) return ok();
        files_ = std::move(files);
    }
    files_->names.clear();
    const auto take = [&](const db::Statement& query) {
        files_->names.push_back({static_cast<Uid>(query.integer(0) & 0xffffffff), std::string(query.text(1)),
                                 static_cast<std::uint64_t>(query.integer(2))});
    };
    if (!is_dense(uids)) {
        GK_TRY(auto query, state.index.prepare("SELECT key, file, size FROM messages WHERE key = ?"));
        for (const Uid uid : uids) {
            GK_TRY(const bool row, query.bind(row_key(number_, uid)).step());
            if (!row) continue;
            take(query);
            query.reset();
        }
        return ok();
    }
    GK_TRY(auto query, state.index.prepare("SELECT key, file, size FROM messages WHERE key BETWEEN ? AND ?"));
    query.bind(row_key(number_, uids.front())).bind(row_key(number_, uids.back()));
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return ok();
        take(query);
    }
}

Result<OpenMessage> Mailbox::open(Uid uid) {
    if (files_) {
        const auto name = std::lower_bound(files_->names.begin(), files_->names.end(), uid,
                                           [](const Files::Name& one, Uid wanted) { return one.uid < wanted; });
        if (name != files_->names.end() && name->uid == uid) {
            auto file = os::MappedFile::open_at(files_->directory.get(), name->file);
            if (file) {
                const auto bytes = file->bytes().size();
                return OpenMessage{std::move(*file), line_ends_of(bytes, name->size), name->size};
            }
        }
    }
    State& state = account_->state();
    const Locked lock(state);
    GK_TRY(auto record, get_record(state, number_, uidvalidity_));
    const std::string path = state.path_of(record.name) + '/';
    for (const bool again : {false, true}) {
        GK_TRY(const auto message, load_message(state, record.number, uid));
        if (!message) break;
        auto file = os::MappedFile::open(path + message->file);
        if (file) {
            const auto bytes = file->bytes().size();
            return OpenMessage{std::move(*file), line_ends_of(bytes, message->row.size), message->row.size};
        }
        if (file.error().code != Errc::NotFound) return fail(file.error());
        // A foreign tool renamed or removed it since we looked.
        if (!again) GK_CHECK(refresh(state, record, true));
    }
    return fail(Errc::NotFound, fmt::format("message {} of '{}' was expunged", uid, record.name));
}

// Parses those of UIDS that are no longer, or were not yet, kept; TAKE gets each. Then keeps them.
Status Mailbox::scan(std::span<const Uid> uids,
                     const std::function<void(Uid, message::Structure&, const KeptStructure&)>& take) {
    if (uids.empty()) return ok();
    State& state = account_->state();
    GK_CHECK(expect(uids));
    std::vector<std::pair<Uid, KeptStructure>> parsed;
    for (const Uid uid : uids) {
        const auto opened = open(uid);
        if (!opened && opened.error().code == Errc::NotFound) continue;
        if (!opened) return fail(opened.error());
        auto structure = message::scan(opened->file.bytes(), opened->line_ends, state.options.message_limits);
        parsed.emplace_back(uid, kept_structure(structure));
        take(uid, structure, parsed.back().second);
    }
    // Kept for the next time where that is possible now; the answer does not depend on it.
    const auto keep = [&]() -> Status {
        const Locked lock(state);
        GK_TRY(auto transaction, WriteTransaction::begin(state));
        for (const auto& [uid, kept] : parsed) GK_CHECK(keep_structure(state, number_, uid, kept));
        return transaction.commit();
    };
    (void)keep();
    return ok();
}

Status Mailbox::structures(std::span<const Uid> uids, const std::function<bool(Uid, const message::Structure*)>& sink) {
    State& state = account_->state();
    for (std::size_t start = 0; start < uids.size(); start += kStructuresAtOnce) {
        const auto chunk = uids.subspan(start, std::min(kStructuresAtOnce, uids.size() - start));
        std::vector<std::optional<message::Structure>> found(chunk.size());
        {
            const Locked lock(state);
            GK_CHECK(each_kept(state, number_, chunk, "structure", [&](std::size_t i, const db::Statement& query) {
                if (auto kept = message::deserialise(query.text(1))) found[i] = std::move(*kept);
            }));
        }
        std::vector<Uid> unknown;
        for (std::size_t i = 0; i < chunk.size(); ++i)
            if (!found[i]) unknown.push_back(chunk[i]);
        auto at = chunk.begin();
        GK_CHECK(scan(unknown, [&](Uid uid, message::Structure& structure, const KeptStructure&) {
            at = std::lower_bound(at, chunk.end(), uid);
            found[static_cast<std::size_t>(at - chunk.begin())] = std::move(structure);
        }));
        for (std::size_t i = 0; i < chunk.size(); ++i)
            if (!sink(chunk[i], found[i] ? &*found[i] : nullptr)) return ok();
    }
    return ok();
}

Status Mailbox::envelopes(std::span<const Uid> uids, const std::function<bool(Uid, const message::Envelope*)>& sink,
                          message::EnvelopeFields wanted) {
    State& state = account_->state();
    std::vector<message::Envelope> found(std::min(kEnvelopesAtOnce, uids.size()));
    for (std::size_t start = 0; start < uids.size(); start += kEnvelopesAtOnce) {
        const auto chunk = uids.subspan(start, std::min(kEnvelopesAtOnce, uids.size() - start));
        std::vector<bool> known(chunk.size());
        {
            const Locked lock(state);
            GK_CHECK(each_kept(state, number_, chunk, "structure", [&](std::size_t i, const db::Statement& query) {
                known[i] = message::deserialise_envelope(query.text(1), found[i], wanted);
            }));
        }
        std::vector<Uid> unknown;
        for (std::size_t i = 0; i < chunk.size(); ++i)
            if (!known[i]) unknown.push_back(chunk[i]);
        auto at = chunk.begin();
        GK_CHECK(scan(unknown, [&](Uid uid, message::Structure& structure, const KeptStructure&) {
            at = std::lower_bound(at, chunk.end(), uid);
            const auto i = static_cast<std::size_t>(at - chunk.begin());
            found[i] = std::move(structure.envelopes.front());
            known[i] = true;
        }));
        for (std::size_t i = 0; i < chunk.size(); ++i)
            if (!sink(chunk[i], known[i] ? &found[i] : nullptr)) return ok();
    }
    return ok();
}

Status Mailbox::messages(std::span<const Uid> uids, const MessageSink& sink) {
    bool stopped = false;
    for (std::size_t start = 0; start < uids.size() && !stopped; start += kFilesAtOnce) {
        const auto chunk = uids.subspan(start, std::min(kFilesAtOnce, uids.size() - start));
        Status failed = ok();
        bool first = true;
        GK_CHECK(structures(chunk, [&](Uid uid, const message::Structure* structure) {
            if (std::exchange(first, false)) failed = expect(chunk);
            if (!failed) return false;
            const auto file = structure != nullptr ? open(uid) : Result<OpenMessage>(fail(Errc::NotFound, "expunged"));
            if (!file && file.error().code != Errc::NotFound) failed = fail(file.error());
            else stopped = !sink(uid, file ? structure : nullptr, file ? &*file : nullptr);
            return failed && !stopped;
        }));
        GK_CHECK(failed);
    }
    return ok();
}

Status Mailbox::shown(std::span<const Uid> uids, const std::function<bool(Uid, const Shown*)>& sink) {
    State& state = account_->state();
    std::string texts;  // of a chunk, one behind the other
    struct Place {
        std::size_t envelope = 0, body_structure = 0, end = 0;
    };
    for (std::size_t start = 0; start < uids.size(); start += kStructuresAtOnce) {
        const auto chunk = uids.subspan(start, std::min(kStructuresAtOnce, uids.size() - start));
        std::vector<Place> places(chunk.size());
        texts.clear();
        const auto put = [&](std::size_t i, std::string_view envelope, std::string_view body_structure) {
            places[i].envelope = texts.size();
            texts += envelope;
            places[i].body_structure = texts.size();
            texts += body_structure;
            places[i].end = texts.size();
        };
        {
            const Locked lock(state);
            GK_CHECK(
                each_kept(state, number_, chunk, "envelope, body_structure",
                          [&](std::size_t i, const db::Statement& query) { put(i, query.text(1), query.text(2)); }));
        }
        std::vector<Uid> unknown;
        for (std::size_t i = 0; i < chunk.size(); ++i)
            if (places[i].end == 0) unknown.push_back(chunk[i]);
        auto at = chunk.begin();
        GK_CHECK(scan(unknown, [&](Uid uid, message::Structure&, const KeptStructure& kept) {
            at = std::lower_bound(at, chunk.end(), uid);
            put(static_cast<std::size_t>(at - chunk.begin()), kept.envelope, kept.body_structure);
        }));
        for (std::size_t i = 0; i < chunk.size(); ++i) {
            const Place& place = places[i];
            const std::string_view all = texts;
            const Shown shown{all.substr(place.envelope, place.body_structure - place.envelope),
                              all.substr(place.body_structure, place.end - place.body_structure)};
            if (!sink(chunk[i], place.end != 0 ? &shown : nullptr)) return ok();
        }
    }
    return ok();
}

Result<message::Structure> Mailbox::structure(Uid uid) {
    std::optional<message::Structure> found;
    GK_CHECK(structures({&uid, 1}, [&](Uid, const message::Structure* structure) {
        if (structure != nullptr) found = *structure;
        return true;
    }));
    if (!found) return fail(Errc::NotFound, fmt::format("message {} of '{}' was expunged", uid, name_));
    return std::move(*found);
}

}  // namespace gk::store
