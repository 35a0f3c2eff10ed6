// SPDX-License-Identifier: MIT
#include "common/search/query.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <iterator>
#include <optional>

#include "common/base/text.hpp"
#include "common/message/date.hpp"
#include "common/search/tokens.hpp"

namespace gk::search {

namespace {

using Kind = Query::Kind;

struct TextField {
    std::string_view name;
    unsigned columns;
};
constexpr TextField kTextFields[] = {
    {"from", kFrom},       {"to", kTo | kCc | kBcc}, {"cc", kCc},          {"bcc", kBcc},
    {"subject", kSubject}, {"body", kBody},          {"filename", kNames}, {"header", kOther},
};
constexpr std::string_view kOtherFields[] = {"in",    "is", "has",    "keyword", "before",
                                             "after", "on", "larger", "smaller"};

struct State {
    std::string_view name;
    store::Flags flag;
    bool set;
};
constexpr State kStates[] = {
    {"read", store::kSeen, true},         {"seen", store::kSeen, true},
    {"unread", store::kSeen, false},      {"unseen", store::kSeen, false},
    {"flagged", store::kFlagged, true},   {"unflagged", store::kFlagged, false},
    {"answered", store::kAnswered, true}, {"unanswered", store::kAnswered, false},
    {"draft", store::kDraft, true},       {"deleted", store::kDeleted, true},
};

std::vector<std::string> field_names() {
    std::vector<std::string> names;
    for (const auto& field : kTextFields) names.emplace_back(field.name);
    for (const auto field : kOtherFields) names.emplace_back(field);
    return names;
}

// "2026", "2026-01" or "2026-01-31" as the first second of it and of what comes after, in UTC.
std::optional<std::pair<std::int64_t, std::int64_t>> period(std::string_view s) {
    const auto parts = text::split(s, '-');
    if (parts.empty() || parts.size() > 3 || parts[0].size() != 4) return std::nullopt;
    int numbers[3] = {0, 1, 1};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto number = text::to_uint(parts[i]);
        if (!number || (i > 0 && (parts[i].size() > 2 || *number == 0 || *number > (i == 1 ? 12 : 31))))
            return std::nullopt;
        numbers[i] = static_cast<int>(*number);
    }
    const std::int64_t first = message::day_number(numbers[0], numbers[1], numbers[2]);
    std::int64_t after = first + 1;
    if (parts.size() == 1) after = message::day_number(numbers[0] + 1, 1, 1);
    if (parts.size() == 2)
        after = numbers[1] == 12 ? message::day_number(numbers[0] + 1, 1, 1)
                                 : message::day_number(numbers[0], numbers[1] + 1, 1);
    return std::pair(first * 86400, after * 86400);
}

class Parser {
public:
    Parser(std::string_view in, std::int64_t now_s) : in_(in), now_s_(now_s) {}

    Result<Query> whole() {
        GK_TRY(auto query, any(0, kAllColumns));
        skip_space();
        if (at_ < in_.size()) return fail(Errc::BadInput, "a ')' without '('");
        return query;
    }

private:
    Result<Query> any(int depth, unsigned columns);
    Result<Query> all(int depth, unsigned columns);
    Result<Query> term(int depth, unsigned columns);
    Result<Query> words(unsigned columns);
    Result<Query> field(std::string_view name, std::string_view value);
    Result<Query> date(std::string_view name, std::string_view value) const;

    void skip_space() {
        while (at_ < in_.size() && text::is_space(in_[at_])) ++at_;
    }
    bool at_end_of_group() {
        skip_space();
        return at_ >= in_.size() || in_[at_] == ')';
    }
    std::string_view peek_word() const {
        std::size_t end = at_;
        while (end < in_.size() && !text::is_space(in_[end]) && in_[end] != '"' && in_[end] != '(' && in_[end] != ')')
            ++end;
        return in_.substr(at_, end - at_);
    }
    bool accept_word(std::string_view word) {
        skip_space();
        if (peek_word() != word) return false;
        at_ += word.size();
        return true;
    }
    // A word, or a phrase in quotes.
    Result<std::string> value() {
        if (at_ >= in_.size() || in_[at_] != '"') {
            const std::string word(peek_word());
            at_ += word.size();
            return word;
        }
        const std::size_t end = in_.find('"', at_ + 1);
        if (end == std::string_view::npos) return fail(Errc::BadInput, "a '\"' that is not closed");
        std::string phrase(in_.substr(at_ + 1, end - at_ - 1));
        at_ = end + 1;
        return phrase;
    }

    std::string_view in_;
    std::int64_t now_s_;
    std::size_t at_ = 0, terms_ = 0;
};

Query of(Kind kind, std::vector<Query> children) {
    if (children.size() == 1 && kind != Kind::Not) return Query(std::move(children.front()));
    Query query;
    query.kind = kind;
    query.children = std::move(children);
    return query;
}

Result<Query> Parser::any(int depth, unsigned columns) {
    if (depth > kMaxQueryDepth) return fail(Errc::BadInput, "a query that is nested too deeply");
    std::vector<Query> ways;
    do {
        GK_TRY(auto one, all(depth, columns));
        ways.push_back(std::move(one));
    } while (accept_word("OR"));
    return of(Kind::Or, std::move(ways));
}

Result<Query> Parser::all(int depth, unsigned columns) {
    std::vector<Query> terms;
    while (!at_end_of_group() && peek_word() != "OR") {
        if (accept_word("AND")) {
            if (terms.empty() || at_end_of_group()) return fail(Errc::BadInput, "'AND' wants something on both sides");
            continue;
        }
        GK_TRY(auto one, term(depth, columns));
        terms.push_back(std::move(one));
    }
    if (terms.empty())
        return fail(Errc::BadInput, depth == 0 && at_ >= in_.size()
                                        ? "nothing to look for"
                                        : "nothing to look for between parentheses or beside 'OR'");
    return of(Kind::And, std::move(terms));
}

Result<Query> Parser::term(int depth, unsigned columns) {
    if (depth > kMaxQueryDepth) return fail(Errc::BadInput, "a query that is nested too deeply");
    if (++terms_ > kMaxTerms) return fail(Errc::BadInput, fmt::format("a query of more than {} terms", kMaxTerms));
    skip_space();
    const bool minus = at_ + 1 < in_.size() && in_[at_] == '-' && !text::is_space(in_[at_ + 1]);
    if (minus) ++at_;
    if (minus || accept_word("NOT")) {
        if (at_end_of_group()) return fail(Errc::BadInput, "'NOT' wants something after it");
        GK_TRY(auto negated, term(depth + 1, columns));
        std::vector<Query> children;
        children.push_back(std::move(negated));
        return of(Kind::Not, std::move(children));
    }
    if (at_ < in_.size() && in_[at_] == '(') {
        ++at_;
        GK_TRY(auto group, any(depth + 1, columns));
        if (at_ >= in_.size()) return fail(Errc::BadInput, "a '(' that is not closed");
        ++at_;
        return group;
    }
    const auto word = peek_word();
    const auto colon = word.find(':');
    if (colon == std::string_view::npos || colon == 0) return words(columns);
    const std::string name = text::lower(word.substr(0, colon));
    const auto* text_field = std::find_if(std::begin(kTextFields), std::end(kTextFields),
                                          [&](const TextField& f) { return f.name == name; });
    if (text_field != std::end(kTextFields)) {
        at_ += colon + 1;
        if (at_end_of_group()) return fail(Errc::BadInput, fmt::format("'{}:' wants something after it", name));
        if (in_[at_] == '(') return term(depth + 1, text_field->columns);
        return words(text_field->columns);
    }
    if (std::find(std::begin(kOtherFields), std::end(kOtherFields), name) != std::end(kOtherFields)) {
        at_ += colon + 1;
        GK_TRY(const auto wanted, value());
        if (wanted.empty()) return fail(Errc::BadInput, fmt::format("'{}:' wants something after it", name));
        return field(name, wanted);
    }
    // "http://…" and "12:30" are text.
    const bool like_a_field =
        std::all_of(name.begin(), name.end(), text::is_alpha) && colon + 1 < word.size() && word[colon + 1] != '/';
    if (!like_a_field) return words(columns);
    const auto near = text::nearest(name, field_names());
    return fail(Errc::BadInput, near ? fmt::format("there is no field '{}'; did you mean '{}:'?", name, *near)
                                     : fmt::format("there is no field '{}'; what is text goes into quotes", name));
}

Result<Query> Parser::words(unsigned columns) {
    const bool quoted = at_ < in_.size() && in_[at_] == '"';
    GK_TRY(auto wanted, value());
    Query query;
    query.kind = Kind::Text;
    query.phrase.columns = columns;
    if (!quoted && wanted.size() > 1 && wanted.back() == '*') {
        query.phrase.prefix = true;
        wanted.pop_back();
    }
    if (query_tokens(wanted).empty())
        return fail(Errc::BadInput,
                    fmt::format("'{}' has no letter and no digit to look for", text::printable(wanted, 40)));
    query.phrase.text = std::move(wanted);
    return query;
}

Result<Query> Parser::date(std::string_view name, std::string_view value) const {
    Query query;
    if (const auto when = period(value)) {
        if (name == "on") {
            std::vector<Query> both(2);
            both[0].kind = Kind::Since;
            both[0].number = when->first;
            both[1].kind = Kind::Before;
            both[1].number = when->second;
            return of(Kind::And, std::move(both));
        }
        query.kind = name == "before" ? Kind::Before : Kind::Since;
        query.number = when->first;
        return query;
    }
    const auto ago = text::to_duration_s(value);
    if (!ago || *ago < 0 || name == "on" || text::to_uint(value))
        return fail(Errc::BadInput,
                    fmt::format("'{}' is no date such as 2026, 2026-01 or 2026-01-31{}", text::printable(value, 40),
                                name == "on" ? "" : ", and no age such as 30d"));
    query.kind = name == "before" ? Kind::Before : Kind::Since;
    query.number = now_s_ - *ago;
    return query;
}

Result<Query> Parser::field(std::string_view name, std::string_view value) {
    Query query;
    if (name == "before" || name == "after" || name == "on") return date(name, value);
    if (name == "in" || name == "keyword") {
        query.kind = name == "in" ? Kind::Mailbox : Kind::Keyword;
        query.text = name == "in" ? store::canonical_name(value) : std::string(value);
        return query;
    }
    if (name == "has") {
        if (!text::equals_nocase(value, "attachment"))
            return fail(Errc::BadInput,
                        fmt::format("'has:{}' is not known; there is 'has:attachment'", text::printable(value, 40)));
        query.kind = Kind::Attachment;
        return query;
    }
    if (name == "is") {
        for (const auto& state : kStates) {
            if (!text::equals_nocase(state.name, value)) continue;
            query.kind = Kind::Flag;
            query.flag = state.flag;
            query.set = state.set;
            return query;
        }
        return fail(Errc::BadInput, fmt::format("'is:{}' is not known; there is read, unread, flagged, unflagged, "
                                                "answered, unanswered, draft and deleted",
                                                text::printable(value, 40)));
    }
    const auto size = text::to_size(value);
    if (!size || *size > std::uint64_t{1} << 62)
        return fail(Errc::BadInput, fmt::format("'{}' is no size such as 500k or 1MB", text::printable(value, 40)));
    query.kind = name == "larger" ? Kind::Larger : Kind::Smaller;
    query.number = static_cast<std::int64_t>(*size);
    return query;
}

void collect(const Query& query, std::vector<Phrase>& out) {
    if (query.kind == Kind::Not) return;
    if (query.kind == Kind::Text) out.push_back(query.phrase);
    for (const auto& child : query.children) collect(child, out);
}

}  // namespace

Result<Query> parse_query(std::string_view query, std::int64_t now_s) {
    if (query.size() > kMaxQuery) return fail(Errc::BadInput, fmt::format("a query of more than {} bytes", kMaxQuery));
    if (!text::is_utf8(query)) return fail(Errc::BadInput, "the query is not UTF-8");
    return Parser(query, now_s).whole();
}

std::vector<Phrase> wanted_phrases(const Query& query) {
    std::vector<Phrase> phrases;
    collect(query, phrases);
    return phrases;
}

}  // namespace gk::search
