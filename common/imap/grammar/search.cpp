// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/imap/grammar/parser.hpp"
#include "common/imap/grammar/rules.hpp"

namespace gk::imap {

namespace {

using Kind = SearchKey::Kind;

enum class Takes { Nothing, Text, Keyword, Day, Number, Seconds, Field, ModSeq, ObjectId };
struct Rule {
    std::string_view name;
    Kind kind;
    Takes takes = Takes::Nothing;
};

// search-key, RFC 3501, 6.4.4 and RFC 9051, 6.4.4 (which drops RECENT, OLD and NEW; we keep them for both);
// OLDER and YOUNGER: RFC 5032, 2
constexpr Rule kRules[] = {
    {"ALL", Kind::All},
    {"ANSWERED", Kind::Answered},
    {"BCC", Kind::Bcc, Takes::Text},
    {"BEFORE", Kind::Before, Takes::Day},
    {"BODY", Kind::Body, Takes::Text},
    {"CC", Kind::Cc, Takes::Text},
    {"DELETED", Kind::Deleted},
    {"DRAFT", Kind::Draft},
    {"EMAILID", Kind::EmailId, Takes::ObjectId},
    {"FLAGGED", Kind::Flagged},
    {"FROM", Kind::From, Takes::Text},
    {"HEADER", Kind::Header, Takes::Field},
    {"KEYWORD", Kind::Keyword, Takes::Keyword},
    {"LARGER", Kind::Larger, Takes::Number},
    {"MODSEQ", Kind::ModSeq, Takes::ModSeq},
    {"NEW", Kind::New},
    {"OLD", Kind::Old},
    {"OLDER", Kind::Older, Takes::Seconds},
    {"ON", Kind::On, Takes::Day},
    {"RECENT", Kind::Recent},
    {"SAVEDATESUPPORTED", Kind::SaveDateSupported},
    {"SAVEDBEFORE", Kind::SavedBefore, Takes::Day},
    {"SAVEDON", Kind::SavedOn, Takes::Day},
    {"SAVEDSINCE", Kind::SavedSince, Takes::Day},
    {"SEEN", Kind::Seen},
    {"SENTBEFORE", Kind::SentBefore, Takes::Day},
    {"SENTON", Kind::SentOn, Takes::Day},
    {"SENTSINCE", Kind::SentSince, Takes::Day},
    {"SINCE", Kind::Since, Takes::Day},
    {"SMALLER", Kind::Smaller, Takes::Number},
    {"SUBJECT", Kind::Subject, Takes::Text},
    {"TEXT", Kind::Text, Takes::Text},
    {"THREADID", Kind::ThreadId, Takes::ObjectId},
    {"TO", Kind::To, Takes::Text},
    {"UNANSWERED", Kind::Unanswered},
    {"UNDELETED", Kind::Undeleted},
    {"UNDRAFT", Kind::Undraft},
    {"UNFLAGGED", Kind::Unflagged},
    {"UNKEYWORD", Kind::Unkeyword, Takes::Keyword},
    {"UNSEEN", Kind::Unseen},
    {"YOUNGER", Kind::Younger, Takes::Seconds},
};

// search-modsequence = "MODSEQ" [entry-name SP ("priv" / "shared" / "all") SP] mod-sequence-valzer; RFC 7162, 3.1.5.
// Mod-sequences are a message's, not a flag's, so the entry's name changes nothing.
std::uint64_t modseq_value(Scanner& in) {
    if (!in.next_is('"')) return in.number64();
    if (!text::starts_with_nocase(in.string(), "/flags/")) in.fail("an entry's name begins with /flags/");
    in.space();
    if (!in.accept_word("priv") && !in.accept_word("shared") && !in.accept_word("all"))
        in.fail("priv, shared or all expected");
    in.space();
    return in.number64();
}

// More tags than there can be contexts make no sense in one CANCELUPDATE.
constexpr std::size_t kMaxCancelled = 100;

struct KeyReader {
    Scanner& in;
    std::size_t keys = 0;

    SearchKey key(int depth);
    SearchKey sequence(int depth, char end);
};

SearchKey KeyReader::sequence(int depth, char end) {
    SearchKey all{.kind = Kind::And};
    do all.children.push_back(key(depth + 1));
    while (in.accept(' '));
    if (end != '\0') in.expect(end);
    if (all.children.size() == 1) return SearchKey(std::move(all.children.front()));
    return all;
}

SearchKey KeyReader::key(int depth) {
    SearchKey key;
    if (depth > kMaxSearchDepth) in.fail("a search is nested too deeply");
    if (++keys > kMaxSearchKeys) in.fail("a search has too many keys");
    if (in.failed()) return key;
    if (in.accept('(')) return sequence(depth, ')');
    if (text::is_digit(in.peek()) || in.next_is('*') || in.next_is('$')) {
        key.kind = Kind::Set;
        key.set = in.sequence_set();
        return key;
    }
    const std::string name = in.word();
    // FUZZY: RFC 6203, 3
    if (name == "NOT" || name == "OR" || name == "FUZZY") {
        key.kind = name == "OR" ? Kind::Or : name == "NOT" ? Kind::Not : Kind::Fuzzy;
        in.space();
        key.children.push_back(this->key(depth + 1));
        if (key.kind == Kind::Or) {
            in.space();
            key.children.push_back(this->key(depth + 1));
        }
        return key;
    }
    if (name == "UID") {
        in.space();
        key.kind = Kind::UidSet;
        key.set = in.sequence_set();
        return key;
    }
    const auto* rule =
        std::find_if(std::begin(kRules), std::end(kRules), [&](const Rule& r) { return r.name == name; });
    if (rule == std::end(kRules)) {
        in.fail(fmt::format("unknown search key '{}'", text::printable(name, 40)));
        return key;
    }
    key.kind = rule->kind;
    if (rule->takes != Takes::Nothing) in.space();
    switch (rule->takes) {
        case Takes::Nothing: break;
        case Takes::Text: key.text = in.astring(); break;
        case Takes::Keyword: key.text = in.flag(); break;
        case Takes::Day: key.day = in.date_day(); break;
        case Takes::ObjectId: key.text = in.object_id(); break;
        case Takes::Number: key.number = in.number64(); break;
        case Takes::ModSeq: key.number = modseq_value(in); break;
        case Takes::Seconds: key.number = in.nz_number(); break;
        case Takes::Field:
            key.field = in.astring();
            in.space();
            key.text = in.astring();
            break;
    }
    return key;
}

}  // namespace

bool contains(const SearchKey& key, SearchKey::Kind kind) {
    return key.kind == kind || std::any_of(key.children.begin(), key.children.end(),
                                           [&](const SearchKey& child) { return contains(child, kind); });
}

bool names_sequence_numbers(const SearchKey& key) {
    return (key.kind == Kind::Set && !key.set.saved) ||
           std::any_of(key.children.begin(), key.children.end(), names_sequence_numbers);
}

bool names_saved_result(const SearchKey& key) {
    return key.set.saved || std::any_of(key.children.begin(), key.children.end(), names_saved_result);
}

SearchKey search_program(Scanner& in) { return KeyReader{in}.sequence(0, '\0'); }

// partial-range = nz-number ":" nz-number / "-" nz-number ":" "-" nz-number; RFC 9394, 5
PartialRange partial_range(Scanner& in) {
    PartialRange range;
    range.from_end = in.accept('-');
    range.first = in.nz_number();
    in.expect(':');
    if (range.from_end) in.expect('-');
    range.last = in.nz_number();
    const std::string_view sign = range.from_end ? "-" : "";
    range.text = fmt::format("{}{}:{}{}", sign, range.first, sign, range.last);
    if (range.first > range.last) std::swap(range.first, range.last);
    return range;
}

// search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
// RFC 4731, 3.1; RFC 5182; RFC 5267, 4; RFC 9394, 3.1; RELEVANCY: RFC 6203, 4
SearchReturn search_return(Scanner& in) {
    SearchReturn wanted;
    if (!in.accept_word("RETURN")) return wanted;
    wanted.given = true;
    in.space();
    in.expect('(');
    bool any = false;
    if (!in.accept(')')) {
        any = true;
        do {
            if (in.accept_word("MIN")) wanted.min = true;
            else if (in.accept_word("MAX")) wanted.max = true;
            else if (in.accept_word("ALL")) wanted.all = true;
            else if (in.accept_word("COUNT")) wanted.count = true;
            else if (in.accept_word("SAVE")) wanted.save = true;
            else if (in.accept_word("RELEVANCY")) wanted.relevancy = true;
            else if (in.accept_word("UPDATE")) wanted.update = true;
            else if (in.accept_word("CONTEXT")) wanted.context = true;
            else if (in.accept_word("PARTIAL")) {
                if (wanted.partial) in.fail("PARTIAL is given twice");
                in.space();
                wanted.partial = partial_range(in);
            } else in.fail("an unknown RETURN option");
        } while (in.accept(' '));
        in.expect(')');
    }
    if (wanted.partial && wanted.all) in.fail("PARTIAL and ALL exclude each other");
    // RFC 4731, 3.1: an empty list means ALL.
    if (!any) wanted.all = true;
    in.space();
    return wanted;
}

// cancelupdate = "CANCELUPDATE" 1*(SP quoted); RFC 5267, 5
CancelUpdate cancel_update_command(Scanner& in) {
    CancelUpdate cancel;
    do {
        in.space();
        cancel.tags.push_back(in.string());
        if (cancel.tags.size() > kMaxCancelled) in.fail("too many tags");
    } while (in.next_is(' '));
    return cancel;
}

// search = "SEARCH" [search-return-opts] SP ["CHARSET" SP charset SP] search-key *(SP search-key); RFC 9051, 6.4.4
Search search_command(Scanner& in, bool uid) {
    Search search;
    search.uid = uid;
    in.space();
    search.returns = search_return(in);
    if (in.accept_word("CHARSET")) {
        in.space();
        search.charset = text::upper(in.astring());
        in.space();
    }
    search.key = search_program(in);
    if (search.returns.relevancy && !contains(search.key, Kind::Fuzzy)) in.fail("RELEVANCY wants a FUZZY key");
    return search;
}

// thread = "THREAD" SP thread-alg SP charset SP search-key *(SP search-key); RFC 5256, 5
Thread thread_command(Scanner& in, bool uid) {
    Thread thread;
    thread.uid = uid;
    in.space();
    if (in.accept_word("ORDEREDSUBJECT")) thread.algorithm = Thread::Algorithm::OrderedSubject;
    else if (!in.accept_word("REFERENCES")) in.fail("an unknown threading algorithm");
    in.space();
    thread.charset = text::upper(in.astring());
    in.space();
    thread.key = search_program(in);
    return thread;
}

}  // namespace gk::imap
