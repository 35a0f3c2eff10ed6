// SPDX-License-Identifier: MIT
#include "common/imap/search/program.hpp"

#include <algorithm>
#include <unordered_map>

#include "common/base/text.hpp"
#include "common/message/header.hpp"
#include "common/store/object_id.hpp"
#include "common/store/threads.hpp"

namespace gk::imap {

namespace {

using Kind = SearchKey::Kind;

Truth of(bool yes) { return yes ? Truth::Yes : Truth::No; }
Truth negate(Truth truth) { return truth == Truth::Unknown ? truth : of(truth == Truth::No); }

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

bool in_ranges(const std::vector<IndexRange>& ranges, std::uint32_t index) {
    const auto at = std::upper_bound(ranges.begin(), ranges.end(), index,
                                     [](std::uint32_t i, const IndexRange& r) { return i < r.first; });
    return at != ranges.begin() && index <= std::prev(at)->last;
}

// RFC 9051, 6.4.4: dates are compared without time and zone; those of INTERNALDATE as we show them, in UTC.
std::int64_t day_of(std::int64_t unix_s) { return unix_s >= 0 ? unix_s / 86400 : -((86399 - unix_s) / 86400); }

Truth header_says(const Prepared& key, const Candidate& c) {
    if (c.envelope != nullptr)
        if (const auto known = matches_envelope(*c.envelope, key.field, *key.needle)) return of(*known);
    if (c.file == nullptr) return Truth::Unknown;
    const std::string_view bytes = c.file->file.bytes();
    return of(matches_header(bytes.substr(0, message::header_length(bytes)), key.field, *key.needle));
}

// What of SET there is: a number past the end finds nothing, and a range that goes past it the messages up to there.
SequenceSet within(const SequenceSet& set, std::uint32_t exists) {
    SequenceSet out{.saved = set.saved, .ranges = {}};
    for (const SequenceRange& range : set.ranges) {
        const std::uint32_t one = range.first == kLargest ? exists : range.first;
        const std::uint32_t other = range.last == kLargest ? exists : range.last;
        if (std::min(one, other) == 0 || std::min(one, other) > exists) continue;
        out.ranges.push_back({std::min(one, other), std::min(std::max(one, other), exists)});
    }
    return out;
}

}  // namespace

namespace {

// RFC 6203, 3: how several keys under one FUZZY are matched is ours to say; each is, where it is one of text.
Prepared prepare_fuzzy(const SearchKey& key, const SearchContext& context) {
    if (key.kind == Kind::And || key.kind == Kind::Or || key.kind == Kind::Not) {
        Prepared out;
        out.kind = key.kind;
        for (const SearchKey& child : key.children) {
            out.children.push_back(prepare_fuzzy(child, context));
            out.cost = std::max(out.cost, out.children.back().cost);
            out.fields |= out.children.back().fields;
            out.sent |= out.children.back().sent;
        }
        return out;
    }
    Prepared exact = prepare(key, context);
    auto result = context.words != nullptr ? context.words->look_up(key) : std::nullopt;
    if (!result) return exact;
    Prepared out;
    out.kind = Kind::Fuzzy;
    out.cost = result->unindexed.empty() ? Cost::Row : exact.cost;
    out.fields = exact.fields;
    out.sent = exact.sent;
    out.fuzzy = std::move(result);
    out.children.push_back(std::move(exact));
    return out;
}

const search::Hit* find_hit(const FuzzyResult& fuzzy, store::Uid uid) {
    const auto at = std::lower_bound(fuzzy.hits.begin(), fuzzy.hits.end(), uid,
                                     [](const search::Hit& hit, store::Uid value) { return hit.uid < value; });
    return at != fuzzy.hits.end() && at->uid == uid ? &*at : nullptr;
}

}  // namespace

std::int64_t fuzzy_score(const Prepared& key, store::Uid uid) {
    if (key.kind == Kind::Not) return 0;
    std::int64_t score = 0;
    if (key.fuzzy)
        if (const auto* hit = find_hit(*key.fuzzy, uid)) score = hit->score;
    for (const Prepared& child : key.children) score += fuzzy_score(child, uid);
    return score;
}

Prepared prepare(const SearchKey& key, const SearchContext& context) {
    if (key.kind == Kind::Fuzzy) return prepare_fuzzy(key.children.front(), context);
    const View& view = context.view;
    Prepared out;
    out.kind = key.kind;
    out.number = key.number;
    out.day = key.day;
    switch (key.kind) {
        case Kind::Set:
        case Kind::UidSet: {
            const bool uid = key.kind == Kind::UidSet;
            const auto ranges = view.resolve(uid ? key.set : within(key.set, view.exists()), uid, context.saved);
            if (ranges) out.ranges = *ranges;
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
            out.cost = Cost::Envelope;
            out.field = field_of(key.kind);
            out.fields = envelope_field(out.field);
            out.needle = std::make_unique<Needle>(key.text);
            break;
        case Kind::SentBefore:
        case Kind::SentOn:
        case Kind::SentSince:
            out.cost = Cost::Sent;
            out.sent = true;
            break;
        case Kind::EmailId:
        case Kind::ThreadId: out.field = key.text; break;  // see find_object_ids
        case Kind::Header:
        case Kind::Body:
        case Kind::Text:
            out.field = key.field;
            if (key.kind == Kind::Header) out.fields = envelope_field(key.field);
            out.cost = out.fields != 0 ? Cost::Envelope : Cost::File;
            out.needle = std::make_unique<Needle>(key.text);
            break;
        case Kind::Older:
        case Kind::Younger: out.day = context.now_s - static_cast<std::int64_t>(key.number); break;
        default: out.flag = flag_of(key.kind); break;
    }
    for (const SearchKey& child : key.children) {
        out.children.push_back(prepare(child, context));
        out.cost = std::max(out.cost, out.children.back().cost);
        out.fields |= out.children.back().fields;
        out.sent |= out.children.back().sent;
    }
    std::stable_sort(out.children.begin(), out.children.end(),
                     [](const Prepared& a, const Prepared& b) { return a.cost < b.cost; });
    return out;
}

namespace {

void collect_ids(Prepared& key, Kind kind, std::unordered_multimap<std::string_view, Prepared*>& wanted) {
    if (key.kind == kind) wanted.emplace(key.field, &key);
    for (Prepared& child : key.children) collect_ids(child, kind, wanted);
}

}  // namespace

Status find_object_ids(Prepared& key, View& view) {
    std::unordered_multimap<std::string_view, Prepared*> emails, thread_names;
    collect_ids(key, Kind::EmailId, emails);
    collect_ids(key, Kind::ThreadId, thread_names);
    if (emails.empty() && thread_names.empty()) return ok();
    std::unordered_multimap<std::uint64_t, Prepared*> threads;
    for (const auto& [name, wanted] : thread_names)
        if (const std::uint64_t number = store::parse_thread_id(name); number != 0) threads.emplace(number, wanted);
    std::vector<store::Uid> uids;
    for (const store::Row& row : view.rows()) uids.push_back(row.uid);
    const auto note = [&](auto& wanted, store::Uid uid, const auto& id) {
        const auto [first, last] = wanted.equal_range(id);
        if (first == last) return;
        if (const auto index = view.find(uid))
            for (auto at = first; at != last; ++at) at->second->ranges.push_back({*index, *index});
    };
    if (!threads.empty())
        GK_CHECK(view.mailbox().threads(uids, [&](const store::ThreadRow& row) {
            note(threads, row.uid, row.thread);
            return true;
        }));
    if (emails.empty()) return ok();
    return view.mailbox().email_ids(uids, [&](store::Uid uid, std::string_view id) {
        note(emails, uid, id);
        return true;
    });
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
        case Kind::Fuzzy:
            if (find_hit(*key.fuzzy, row.uid) != nullptr) return Truth::Yes;
            if (!std::binary_search(key.fuzzy->unindexed.begin(), key.fuzzy->unindexed.end(), row.uid))
                return Truth::No;
            return evaluate(key.children.front(), c);
        case Kind::Set:
        case Kind::UidSet:
        case Kind::EmailId:
        case Kind::ThreadId: return of(in_ranges(key.ranges, c.index));
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
        case Kind::SaveDateSupported: return Truth::Yes;  // RFC 8514, 4.3: every mailbox
        case Kind::SavedBefore: return of(day_of(row.saved_date) < key.day);
        case Kind::SavedOn: return of(day_of(row.saved_date) == key.day);
        case Kind::SavedSince: return of(day_of(row.saved_date) >= key.day);
        case Kind::Larger: return of(row.size > key.number);
        case Kind::Smaller: return of(row.size < key.number);
        case Kind::ModSeq: return of(row.modseq >= key.number);
        case Kind::Older: return of(row.internal_date <= key.day);
        case Kind::Younger: return of(row.internal_date >= key.day);
        case Kind::SentBefore:
        case Kind::SentOn:
        case Kind::SentSince: {
            if (c.sent == nullptr) return Truth::Unknown;
            if (!*c.sent) return Truth::No;
            const int day = (*c.sent)->day;
            if (key.kind == Kind::SentBefore) return of(day < key.day);
            return of(key.kind == Kind::SentOn ? day == key.day : day >= key.day);
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

}  // namespace gk::imap
