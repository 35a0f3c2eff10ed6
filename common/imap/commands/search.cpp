// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/imap/format/match.hpp"
#include "common/imap/session.hpp"
#include "common/message/header.hpp"

namespace gk::imap {

namespace {

using Kind = SearchKey::Kind;

constexpr std::size_t kBatch = 64;
constexpr std::uint32_t kRowsInATurn = 20'000;

// What a key has to look at, cheapest first.
enum class Cost { Row, Structure, File };

enum class Truth { No, Yes, Unknown };
Truth of(bool yes) { return yes ? Truth::Yes : Truth::No; }
Truth negate(Truth truth) { return truth == Truth::Unknown ? truth : of(truth == Truth::No); }

// A key ready for many messages: its set resolved, its text folded, its children sorted by cost.
struct Prepared {
    Kind kind = Kind::All;
    Cost cost = Cost::Row;
    std::vector<IndexRange> ranges;
    store::Flags flag = 0;
    store::KeywordMask keyword = 0;
    std::uint64_t number = 0;
    std::int64_t day = 0;
    std::string_view field;
    std::unique_ptr<Needle> needle;
    std::vector<Prepared> children;
};

// A message as far as it was looked at.
struct Candidate {
    std::uint32_t index;
    const store::Row* row;
    bool recent;
    const message::Structure* structure = nullptr;
    const store::OpenMessage* file = nullptr;
};

store::Flags flag_of(Kind kind) {
    switch (kind) {
        case Kind::Answered:
        case Kind::Unanswered: return store::kAnswered;
        case Kind::Deleted:
        case Kind::Undeleted: return store::kDeleted;
        case Kind::Draft:
        case Kind::Undraft: return store::kDraft;
        case Kind::Flagged:
        case Kind::Unflagged: return store::kFlagged;
        default: return store::kSeen;
    }
}

std::string_view field_of(Kind kind) {
    switch (kind) {
        case Kind::Bcc: return "bcc";
        case Kind::Cc: return "cc";
        case Kind::From: return "from";
        case Kind::To: return "to";
        default: return "subject";
    }
}

Prepared prepare(const SearchKey& key, const View& view, const std::vector<store::Uid>& saved) {
    Prepared out;
    out.kind = key.kind;
    out.number = key.number;
    out.day = key.day;
    switch (key.kind) {
        case Kind::Set:
        case Kind::UidSet: {
            const auto ranges = view.resolve(key.set, key.kind == Kind::UidSet, saved);
            if (ranges) out.ranges = *ranges;  // a number past the end finds nothing
            break;
        }
        case Kind::Keyword:
        case Kind::Unkeyword:
            for (std::size_t i = 0; i < view.keywords().size() && i < store::kMaxKeywords; ++i)
                if (text::equals_nocase(view.keywords()[i], key.text)) out.keyword |= store::KeywordMask{1} << i;
            break;
        case Kind::Bcc:
        case Kind::Cc:
        case Kind::From:
        case Kind::To:
        case Kind::Subject:
            out.cost = Cost::Structure;
            out.field = field_of(key.kind);
            out.needle = std::make_unique<Needle>(key.text);
            break;
        case Kind::SentBefore:
        case Kind::SentOn:
        case Kind::SentSince: out.cost = Cost::Structure; break;
        case Kind::Header:
        case Kind::Body:
        case Kind::Text:
            out.cost = Cost::File;
            out.field = key.field;
            out.needle = std::make_unique<Needle>(key.text);
            break;
        default: out.flag = flag_of(key.kind); break;
    }
    for (const SearchKey& child : key.children) {
        out.children.push_back(prepare(child, view, saved));
        out.cost = std::max(out.cost, out.children.back().cost);
    }
    std::stable_sort(out.children.begin(), out.children.end(),
                     [](const Prepared& a, const Prepared& b) { return a.cost < b.cost; });
    return out;
}

bool in_ranges(const std::vector<IndexRange>& ranges, std::uint32_t index) {
    const auto at = std::upper_bound(ranges.begin(), ranges.end(), index,
                                     [](std::uint32_t i, const IndexRange& r) { return i < r.first; });
    return at != ranges.begin() && index <= std::prev(at)->last;
}

// RFC 9051, 6.4.4: dates are compared without time and zone; those of INTERNALDATE as we show them, in UTC.
std::int64_t day_of(std::int64_t unix_s) { return unix_s >= 0 ? unix_s / 86400 : -((86399 - unix_s) / 86400); }

Truth header_says(const Prepared& key, const Candidate& c) {
    if (c.structure != nullptr)
        if (const auto known = matches_envelope(c.structure->envelope(), key.field, *key.needle)) return of(*known);
    if (c.file == nullptr) return Truth::Unknown;
    const std::string_view bytes = c.file->file.bytes();
    return of(matches_header(bytes.substr(0, message::header_length(bytes)), key.field, *key.needle));
}

Truth evaluate(const Prepared& key, const Candidate& c) {
    const store::Row& row = *c.row;
    switch (key.kind) {
        case Kind::All: return Truth::Yes;
        case Kind::And:
        case Kind::Or: {
            const Truth decisive = of(key.kind == Kind::Or);
            Truth result = negate(decisive);
            for (const Prepared& child : key.children) {
                const Truth truth = evaluate(child, c);
                if (truth == decisive) return decisive;
                if (truth == Truth::Unknown) result = Truth::Unknown;
            }
            return result;
        }
        case Kind::Not: return negate(evaluate(key.children.front(), c));
        case Kind::Set:
        case Kind::UidSet: return of(in_ranges(key.ranges, c.index));
        case Kind::Answered:
        case Kind::Deleted:
        case Kind::Draft:
        case Kind::Flagged:
        case Kind::Seen: return of(row.flags & key.flag);
        case Kind::Unanswered:
        case Kind::Undeleted:
        case Kind::Undraft:
        case Kind::Unflagged:
        case Kind::Unseen: return of(!(row.flags & key.flag));
        case Kind::Keyword: return of(row.keywords & key.keyword);
        case Kind::Unkeyword: return of(!(row.keywords & key.keyword));
        case Kind::Recent: return of(c.recent);
        case Kind::Old: return of(!c.recent);
        case Kind::New: return of(c.recent && !(row.flags & store::kSeen));
        case Kind::Before: return of(day_of(row.internal_date) < key.day);
        case Kind::On: return of(day_of(row.internal_date) == key.day);
        case Kind::Since: return of(day_of(row.internal_date) >= key.day);
        case Kind::Larger: return of(row.size > key.number);
        case Kind::Smaller: return of(row.size < key.number);
        case Kind::SentBefore:
        case Kind::SentOn:
        case Kind::SentSince: {
            if (c.structure == nullptr) return Truth::Unknown;
            const auto day = sent_day(c.structure->envelope());
            if (!day) return Truth::No;
            if (key.kind == Kind::SentBefore) return of(*day < key.day);
            return of(key.kind == Kind::SentOn ? *day == key.day : *day >= key.day);
        }
        case Kind::Bcc:
        case Kind::Cc:
        case Kind::From:
        case Kind::To:
        case Kind::Subject:
        case Kind::Header: return header_says(key, c);
        case Kind::Body:
            if (c.file == nullptr || c.structure == nullptr) return Truth::Unknown;
            return of(matches_body(*c.structure, c.file->file.bytes(), *key.needle));
        case Kind::Text:
            if (c.file == nullptr || c.structure == nullptr) return Truth::Unknown;
            return of(matches_text(*c.structure, c.file->file.bytes(), *key.needle));
    }
    return Truth::No;
}

}  // namespace

// search = "SEARCH" [SP "RETURN" …] [SP "CHARSET" SP charset] 1*(SP search-key)
// RFC 3501, 6.4.4; RFC 9051, 6.4.4; RETURN: RFC 4731; SAVE and "$": RFC 5182
struct Session::SearchJob final : Session::Job {
    SearchJob(const Search& search, const View& view, const std::vector<store::Uid>& saved)
        : command(search), key(prepare(command.key, view, saved)) {}

    bool resume(Session& session) override;
    Status look_into(Session& session, const std::vector<std::uint32_t>& indices);
    void answer(Session& session);

    Search command;
    Prepared key;  // views into command: does not move
    std::uint32_t next = 0;
    std::vector<std::uint32_t> found;  // indices, sorted
};

bool Session::SearchJob::resume(Session& session) {
    const View& view = *session.view_;
    std::vector<std::uint32_t> undecided;
    for (std::uint32_t looked = 0; next < view.exists() && undecided.size() < kBatch && looked < kRowsInATurn;
         ++next, ++looked) {
        const store::Row& row = view.rows()[next];
        const Truth truth = evaluate(key, {.index = next, .row = &row, .recent = view.is_recent(row)});
        if (truth == Truth::Yes) found.push_back(next);
        if (truth == Truth::Unknown) undecided.push_back(next);
    }
    if (!undecided.empty()) {
        if (const Status looked = look_into(session, undecided); !looked) {
            if (command.save) session.saved_.clear();
            session.refuse(looked.error());
            return true;
        }
    }
    if (next < view.exists()) return false;
    answer(session);
    session.finish("OK Searched", command.uid);
    return true;
}

Status Session::SearchJob::look_into(Session& session, const std::vector<std::uint32_t>& indices) {
    View& view = *session.view_;
    std::vector<store::Uid> uids;
    for (const std::uint32_t index : indices) uids.push_back(view.rows()[index].uid);
    std::size_t at = 0;
    GK_CHECK(view.mailbox().structures(uids, [&](store::Uid, const message::Structure* structure) {
        if (at >= indices.size()) return false;
        const std::uint32_t index = indices[at++];
        if (structure == nullptr) return true;  // expunged meanwhile: finds nothing
        const store::Row& row = view.rows()[index];
        Candidate candidate{.index = index, .row = &row, .recent = view.is_recent(row), .structure = structure};
        Truth truth = evaluate(key, candidate);
        if (truth == Truth::Unknown) {
            const auto file = view.mailbox().open(row.uid);
            if (!file) return true;
            candidate.file = &*file;
            truth = evaluate(key, candidate);
        }
        if (truth == Truth::Yes) found.push_back(index);
        return true;
    }));
    // What the rows decided and what the files decided came in turns.
    std::sort(found.begin(), found.end());
    return ok();
}

void Session::SearchJob::answer(Session& session) {
    const View& view = *session.view_;
    std::vector<std::uint32_t> numbers;
    for (const std::uint32_t index : found) numbers.push_back(command.uid ? view.rows()[index].uid : index + 1);
    if (command.save) {
        // RFC 5182, 2.1: with MIN or MAX alone, only those are saved.
        std::vector<store::Uid> saved;
        for (const std::uint32_t index : found) saved.push_back(view.rows()[index].uid);
        if ((command.min || command.max) && !command.all && !command.count && saved.size() > 1) {
            if (!command.max) saved.resize(1);
            else if (!command.min) saved.erase(saved.begin(), saved.end() - 1);
            else saved.erase(saved.begin() + 1, saved.end() - 1);
        }
        session.saved_ = std::move(saved);
    }
    std::string& out = session.out_.text();
    if (!command.extended && !session.rev2_) {
        out += "* SEARCH";
        for (const std::uint32_t number : numbers) fmt::format_to(std::back_inserter(out), " {}", number);
        out += "\r\n";
        return;
    }
    // RFC 5182, 2.2: SAVE alone asks for no answer.
    const bool all = command.all || !command.extended;
    if (!all && !command.min && !command.max && !command.count) return;
    out += "* ESEARCH (TAG \"";
    for (const char c : session.tag_) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += "\")";
    if (command.uid) out += " UID";
    if (!numbers.empty()) {
        if (command.min) fmt::format_to(std::back_inserter(out), " MIN {}", numbers.front());
        if (command.max) fmt::format_to(std::back_inserter(out), " MAX {}", numbers.back());
    }
    if (command.count) fmt::format_to(std::back_inserter(out), " COUNT {}", numbers.size());
    if (all && !numbers.empty()) {
        out += " ALL ";
        append_uid_set(out, numbers);
    }
    out += "\r\n";
}

void Session::on(const Search& search) {
    if (!need_selected()) return;
    if (!search.charset.empty() && search.charset != "UTF-8" && search.charset != "US-ASCII") {
        if (search.save) saved_.clear();
        reply("NO [BADCHARSET (US-ASCII UTF-8)] That charset is not supported");
        return;
    }
    job_ = std::make_unique<SearchJob>(search, *view_, saved_);
}

}  // namespace gk::imap
