// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <map>

#include "common/imap/commands/fetch_content.hpp"
#include "common/imap/format/format.hpp"
#include "common/imap/search/answer.hpp"
#include "common/imap/session.hpp"
#include "common/store/object_id.hpp"
#include "common/store/threads.hpp"

namespace gk::imap {

namespace {

using Kind = FetchItem::Kind;

constexpr std::size_t kBatchOfRows = 1000;
constexpr std::size_t kBatchOfMessages = 64;
constexpr std::uint64_t kEnoughOutput = 128 * 1024;

bool needs_file(const FetchItem& item) {
    switch (item.kind) {
        case Kind::Rfc822:
        case Kind::Rfc822Header:
        case Kind::Rfc822Text:
        case Kind::BodySection:
        case Kind::Binary:
        case Kind::BinarySize: return true;
        default: return false;
    }
}

bool needs_structure(const FetchItem& item) {
    switch (item.kind) {
        case Kind::Envelope:
        case Kind::Body:
        case Kind::BodyStructure: return true;
        default: return needs_file(item) && !(is_whole_message(item) && !item.partial);
    }
}

// What the store keeps ready in the form that goes out.
bool is_shown(const FetchItem& item) { return item.kind == Kind::Envelope || item.kind == Kind::BodyStructure; }

bool is_ascii(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

bool marks_seen(const FetchItem& item) { return needs_file(item) && !item.peek; }

// RFC 9394, 3.3: of the messages in RANGES, those at the places that PARTIAL names.
std::vector<IndexRange> part_of(const std::vector<IndexRange>& ranges, const PartialRange& partial) {
    std::size_t size = 0;
    for (const IndexRange& range : ranges) size += range.last - range.first + 1;
    auto [from, to] = places(partial, size);
    std::vector<IndexRange> part;
    for (const IndexRange& range : ranges) {
        const std::size_t length = range.last - range.first + 1;
        const std::size_t begin = std::min(from, length), end = std::min(to, length);
        if (begin < end)
            part.push_back(
                {range.first + static_cast<std::uint32_t>(begin), range.first + static_cast<std::uint32_t>(end) - 1});
        from -= begin;
        to -= end;
    }
    return part;
}

}  // namespace

// fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / item / "(" item *(SP item) ")")
//         [SP fetch-modifiers]
// RFC 3501, 6.4.5; RFC 9051, 6.4.5; BINARY: RFC 3516, 4.2; MODSEQ, CHANGEDSINCE and VANISHED: RFC 7162, 3.1.4
// and 3.2.6; SAVEDATE: RFC 8514, 4.2; PREVIEW: RFC 8970, 3
struct Session::FetchJob final : Session::Job {
    explicit FetchJob(Fetch fetch) : command(std::move(fetch)) {
        for (const FetchItem& item : command.items) {
            files = files || needs_file(item);
            shown = shown || is_shown(item);
            structures = structures || (needs_structure(item) && !is_shown(item));
            seen = seen || marks_seen(item);
            has_uid = has_uid || item.kind == Kind::Uid;
            previews = previews || item.kind == Kind::Preview;
            only_kept_previews = only_kept_previews && (item.kind != Kind::Preview || item.lazy);
            has_flags = has_flags || item.kind == Kind::Flags;
            has_modseq = has_modseq || item.kind == Kind::ModSeq;
            has_email_id = has_email_id || item.kind == Kind::EmailId;
            has_thread_id = has_thread_id || item.kind == Kind::ThreadId;
        }
        // RFC 7162, 3.1.4.1: CHANGEDSINCE asks for MODSEQ too.
        if (command.changed_since && !std::exchange(has_modseq, true)) command.items.push_back({.kind = Kind::ModSeq});
    }

    bool resume(Session& session) override;
    std::optional<std::pair<std::uint64_t, std::uint64_t>> progress(const Session&) const override {
        std::uint64_t done = offset, all = 0;
        for (std::size_t i = 0; i < ranges.size(); ++i) {
            const std::uint64_t rows = std::uint64_t{ranges[i].last} - ranges[i].first + 1;
            all += rows;
            if (i < range) done += rows;
        }
        if (unasked) return {};
        return std::pair(done, all);
    }
    std::vector<std::uint32_t> next_batch() const;
    void passed(std::uint32_t index);
    Status mark_seen(Session& session, const std::vector<std::uint32_t>& batch);
    Status look_up_ids(Session& session, const std::vector<std::uint32_t>& batch);
    Status answer(Session& session, const std::vector<std::uint32_t>& batch);
    Status answer_shown(Session& session, const std::vector<std::uint32_t>& batch, const std::vector<store::Uid>& uids);
    void one(Session& session, std::uint32_t index, const message::Structure* structure,
             const store::Mailbox::Shown* ready = nullptr);

    Fetch command;
    std::vector<IndexRange> ranges;
    bool previews = false, only_kept_previews = true;
    std::map<store::Uid, std::optional<std::string>> previews_of;  // the batch
    std::vector<store::UidRange> vanished;                         // to be told first
    bool files = false, structures = false, shown = false, seen = false, has_uid = false, has_flags = false,
         has_modseq = false;
    std::size_t range = 0;                  // where we are: in ranges
    std::uint32_t offset = 0;               // and in ranges[range]
    std::vector<std::uint32_t> flags_news;  // sorted: rows whose flags the client has not seen
    bool has_email_id = false, has_thread_id = false;
    std::optional<store::Threading> threading;                  // to be done first
    std::vector<std::pair<store::Uid, std::uint64_t>> threads;  // of the batch, sorted
    std::vector<std::pair<store::Uid, std::string>> email_ids;  // of the batch, sorted
    bool missing = false, unknown_encoding = false;
    std::string converted;  // kept for its memory
    bool unasked = false;   // of NOTIFY: no command waits for an answer
};

std::vector<std::uint32_t> Session::FetchJob::next_batch() const {
    const std::size_t most = files || structures || shown || previews ? kBatchOfMessages : kBatchOfRows;
    std::vector<std::uint32_t> batch;
    std::uint32_t skip = offset;
    for (std::size_t r = range; r < ranges.size() && batch.size() < most; ++r, skip = 0)
        for (std::uint32_t i = ranges[r].first + skip; i <= ranges[r].last && batch.size() < most; ++i)
            batch.push_back(i);
    return batch;
}

void Session::FetchJob::passed(std::uint32_t index) {
    while (range < ranges.size() && ranges[range].last < index) {
        ++range;
        offset = 0;
    }
    if (range == ranges.size()) return;
    offset = index - ranges[range].first + 1;
    if (index == ranges[range].last) {
        ++range;
        offset = 0;
    }
}

// RFC 9051, 6.4.5: what is read without .PEEK becomes \Seen, and the new flags are part of the answer.
Status Session::FetchJob::mark_seen(Session& session, const std::vector<std::uint32_t>& batch) {
    View& view = *session.view_;
    std::vector<store::Uid> unseen;
    for (const std::uint32_t index : batch)
        if (!(view.rows()[index].flags & store::kSeen)) unseen.push_back(view.rows()[index].uid);
    if (unseen.empty()) return ok();
    store::FlagUpdate update;
    update.flags = store::kSeen;
    GK_TRY(store::FlagsStored stored, view.mailbox().store(unseen, update));
    if (view.set_keywords(std::move(stored.keywords))) session.tell_flags_known();
    for (const store::Row& row : stored.rows) {
        const auto index = view.find(row.uid);
        if (!index) continue;
        view.replace_row(*index, row);
        flags_news.push_back(*index);
    }
    std::sort(flags_news.begin(), flags_news.end());
    return ok();
}

// RFC 8474, 5.1 and 5.2
Status Session::FetchJob::look_up_ids(Session& session, const std::vector<std::uint32_t>& batch) {
    if (!has_email_id && !has_thread_id) return ok();
    std::vector<store::Uid> uids;
    for (const std::uint32_t index : batch) uids.push_back(session.view_->rows()[index].uid);
    email_ids.clear();
    threads.clear();
    if (has_thread_id)
        GK_CHECK(session.view_->mailbox().threads(uids, [&](const store::ThreadRow& thread) {
            threads.emplace_back(thread.uid, thread.thread);
            return true;
        }));
    if (!has_email_id) return ok();
    return session.view_->mailbox().email_ids(uids, [&](store::Uid uid, std::string_view id) {
        email_ids.emplace_back(uid, id);
        return true;
    });
}

bool Session::FetchJob::resume(Session& session) {
    while (!vanished.empty()) {
        if (session.out_.waiting() >= kEnoughOutput) return false;
        session.tell_vanished_earlier(vanished);
    }
    if (threading) {
        const auto done = threading->resume();
        if (!done) {
            session.refuse(done.error());
            return true;
        }
        if (!*done) return false;
        threading.reset();
    }
    while (range < ranges.size()) {
        if (session.out_.waiting() >= kEnoughOutput) return false;
        const auto batch = next_batch();
        Status done = ok();
        if (seen && !session.view_->read_only()) done = mark_seen(session, batch);
        if (done) done = look_up_ids(session, batch);
        if (done) done = answer(session, batch);
        if (!done) {
            if (!unasked) session.refuse(done.error());
            return true;
        }
    }
    if (unasked) return true;
    if (unknown_encoding) session.finish("NO [UNKNOWN-CTE] A part's transfer encoding is not known", command.uid);
    else if (missing) session.finish("NO [EXPUNGEISSUED] Some messages were expunged meanwhile", command.uid);
    else session.finish("OK Fetched", command.uid);
    return true;
}

Status Session::FetchJob::answer(Session& session, const std::vector<std::uint32_t>& batch) {
    std::vector<store::Uid> uids;
    if (files || structures || shown || previews)
        for (const std::uint32_t index : batch) uids.push_back(session.view_->rows()[index].uid);
    if (previews) {
        GK_TRY(auto words, session.view_->mailbox().previews(uids, only_kept_previews));
        previews_of.clear();
        for (std::size_t i = 0; i < uids.size(); ++i) previews_of.emplace(uids[i], std::move(words[i]));
    }
    if (shown && !structures) return answer_shown(session, batch, uids);
    if (!structures) {
        if (files) GK_CHECK(session.view_->mailbox().expect(uids));
        for (const std::uint32_t index : batch) {
            one(session, index, nullptr);
            passed(index);
            if (files && session.out_.waiting() >= kEnoughOutput) break;
        }
        return ok();
    }
    std::size_t at = 0;
    return session.view_->mailbox().structures(uids, [&](store::Uid, const message::Structure* structure) {
        if (at >= batch.size()) return false;
        if (at == 0 && files && !session.view_->mailbox().expect(uids)) return false;
        const std::uint32_t index = batch[at++];
        if (structure != nullptr) one(session, index, structure);
        else missing = true;
        passed(index);
        return session.out_.waiting() < kEnoughOutput;
    });
}

// The common question: ENVELOPE and BODYSTRUCTURE alone, as they lie ready.
Status Session::FetchJob::answer_shown(Session& session, const std::vector<std::uint32_t>& batch,
                                       const std::vector<store::Uid>& uids) {
    if (files) GK_CHECK(session.view_->mailbox().expect(uids));
    std::size_t at = 0;
    return session.view_->mailbox().shown(uids, [&](store::Uid uid, const store::Mailbox::Shown* ready) {
        if (at >= batch.size()) return false;
        const std::uint32_t index = batch[at++];
        // With UTF-8 accepted some strings are quoted that are literals in what is kept.
        const bool as_kept =
            ready != nullptr && (!session.utf8_ || (is_ascii(ready->envelope) && is_ascii(ready->body_structure)));
        if (as_kept) {
            one(session, index, nullptr, ready);
        } else if (ready == nullptr) {
            missing = true;
        } else {
            const auto structure = session.view_->mailbox().structure(uid);
            if (structure) one(session, index, &*structure);
            else missing = true;
        }
        passed(index);
        return session.out_.waiting() < kEnoughOutput;
    });
}

void Session::FetchJob::one(Session& session, std::uint32_t index, const message::Structure* structure,
                            const store::Mailbox::Shown* ready) {
    const store::Row& row = session.view_->rows()[index];
    OutputQueue::File file;
    if (files) {
        auto opened = session.view_->mailbox().open(row.uid);
        if (!opened) {
            missing = true;
            return;
        }
        file = std::make_shared<const store::OpenMessage>(std::move(*opened));
    }
    std::string_view email_id;
    if (has_email_id) {
        const auto at = std::lower_bound(email_ids.begin(), email_ids.end(), row.uid,
                                         [](const auto& known, store::Uid uid) { return known.first < uid; });
        if (at == email_ids.end() || at->first != row.uid) {
            missing = true;
            return;
        }
        email_id = at->second;
    }
    session.begin_fetch(session.out_.text(), index);
    bool first = true;
    const auto begin = [&](std::string_view label) -> std::string& {
        std::string& out = session.out_.text();
        if (!std::exchange(first, false)) out += ' ';
        return out += label;
    };
    if (command.uid && !has_uid && !session.uid_only_) fmt::format_to(std::back_inserter(begin("UID ")), "{}", row.uid);
    for (const FetchItem& item : command.items) {
        switch (item.kind) {
            case Kind::Flags: session.append_flags(begin("FLAGS "), row); break;
            case Kind::Uid: fmt::format_to(std::back_inserter(begin("UID ")), "{}", row.uid); break;
            case Kind::ModSeq: session.append_modseq(begin(""), row); break;
            case Kind::InternalDate:
                append_internal_date(begin("INTERNALDATE "), from_unix_s(row.internal_date));
                break;
            case Kind::Rfc822Size: fmt::format_to(std::back_inserter(begin("RFC822.SIZE ")), "{}", row.size); break;
            case Kind::Envelope:
                if (ready != nullptr) begin("ENVELOPE ") += ready->envelope;
                else append_envelope(begin("ENVELOPE "), structure->envelope(), session.utf8_);
                break;
            case Kind::Body: append_body(begin("BODY "), *structure, false, session.utf8_); break;
            case Kind::BodyStructure:
                if (ready != nullptr) begin("BODYSTRUCTURE ") += ready->body_structure;
                else append_body(begin("BODYSTRUCTURE "), *structure, true, session.utf8_);
                break;
            case Kind::SaveDate: append_internal_date(begin("SAVEDATE "), from_unix_s(row.saved_date)); break;
            case Kind::Preview: {
                const auto& words = previews_of[row.uid];
                if (words) append_string(begin("PREVIEW "), *words, session.utf8_);
                else if (item.lazy) append_nil(begin("PREVIEW "));
                else append_string(begin("PREVIEW "), "", session.utf8_);
                break;
            }
            case Kind::Rfc822: begin("RFC822 "); break;
            case Kind::Rfc822Header: begin("RFC822.HEADER "); break;
            case Kind::Rfc822Text: begin("RFC822.TEXT "); break;
            case Kind::BodySection: begin("BODY["); break;
            case Kind::Binary: begin("BINARY["); break;
            case Kind::BinarySize: begin("BINARY.SIZE["); break;
            case Kind::EmailId: fmt::format_to(std::back_inserter(begin("EMAILID ")), "({})", email_id); break;
            case Kind::ThreadId: {
                const auto at = std::lower_bound(threads.begin(), threads.end(), std::pair(row.uid, std::uint64_t{0}));
                if (at == threads.end() || at->first != row.uid) begin("THREADID NIL");
                else fmt::format_to(std::back_inserter(begin("THREADID ")), "({})", store::thread_id(at->second));
                break;
            }
        }
        if (!needs_file(item)) continue;
        std::string& out = session.out_.text();
        if (item.kind == Kind::BodySection || item.kind == Kind::Binary || item.kind == Kind::BinarySize) {
            out += format_section(item.section);
            out += ']';
            if (item.partial) fmt::format_to(std::back_inserter(out), "<{}>", item.partial->offset);
            out += ' ';
        }
        if (item.kind == Kind::BinarySize || (item.kind == Kind::Binary && !is_whole_message(item)))
            unknown_encoding = !append_binary(session.out_, item, file, *structure) || unknown_encoding;
        else append_content(session.out_, item, file, structure, converted);
    }
    if (std::binary_search(flags_news.begin(), flags_news.end(), index)) {
        if (!has_flags) session.append_flags(begin("FLAGS "), row);
        if (!has_modseq && session.condstore_) session.append_modseq(begin(""), row);
    }
    session.out_.text() += ")\r\n";
}

// RFC 5465, 5.2: what NOTIFY wants to have of messages that are new to the selected mailbox, from UID FIRST on.
void Session::fetch_new(const NotifyGroup& group, store::Uid first) {
    const auto rows = view_->resolve({.ranges = {{first, UINT32_MAX}}}, true, {});
    if (!rows || rows->empty()) return;  // expunged already
    Fetch fetch;
    fetch.uid = true;
    fetch.items = group.fetch;
    auto job = std::make_unique<FetchJob>(std::move(fetch));
    job->ranges = *rows;
    job->seen = false;  // nobody has read them
    job->unasked = true;
    job_ = std::move(job);
}

void Session::on(const Fetch& fetch) {
    if (!need_selected() || !need_uid(fetch.uid)) return;
    if (fetch.vanished && !qresync_) return complain(tag_, "VANISHED needs ENABLE QRESYNC");
    auto ranges = resolve(fetch.set, fetch.uid);
    if (!ranges) return;
    auto job = std::make_unique<FetchJob>(fetch);
    if (job->has_modseq) enable_condstore();
    if (fetch.changed_since) ranges = view_->changed_since(*fetch.changed_since, *ranges);
    if (fetch.partial) ranges = part_of(*ranges, *fetch.partial);
    job->ranges = std::move(*ranges);
    if (job->has_thread_id) job->threading.emplace(view_->mailbox().account());
    if (fetch.vanished) {
        auto vanished = view_->mailbox().vanished_since(*fetch.changed_since);
        if (!vanished) return refuse(vanished.error());
        // What the client still counts is told as vanished now, at the end, not as vanished earlier.
        job->vanished = view_->without_rows(common_ranges(vanished->ranges, uid_ranges(fetch.set, saved_)));
    }
    job_ = std::move(job);
}

}  // namespace gk::imap
