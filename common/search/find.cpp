// SPDX-License-Identifier: MIT
#include <algorithm>
#include <set>

#include "common/base/text.hpp"
#include "common/search/query.hpp"
#include "common/search/tokens.hpp"

// A query answered: the index says which messages have the words, the store what else is true of them.
namespace gk::search {

namespace {

using Kind = Query::Kind;

// Scores that differ by less are equal, and the later message comes first: in thousandths.
constexpr std::int64_t kScoreStep = 50;

// A query with the documents of its text terms.
struct Node {
    const Query* query;
    std::vector<Document> documents;  // of Text and Attachment; ascending
    std::vector<Node> children;
};

Result<Node> prepare(Index& index, const Query& query) {
    Node node{&query, {}, {}};
    if (query.kind == Kind::Text) {
        GK_TRY(node.documents, index.find(expression_for(query.phrase)));
    } else if (query.kind == Kind::Attachment) {
        GK_TRY(node.documents, index.with_attachments());
    }
    for (const auto& child : query.children) {
        GK_TRY(auto prepared, prepare(index, child));
        node.children.push_back(std::move(prepared));
    }
    return node;
}

bool has_words(const Query& query) {
    return query.kind == Kind::Text || query.kind == Kind::Attachment ||
           std::any_of(query.children.begin(), query.children.end(), has_words);
}

struct Message {
    std::string_view mailbox;
    const store::Row* row;  // nothing: only whether it can be true is asked
    Document document;
    const std::vector<std::string>* keywords;
};

bool is_mailbox(const std::string& wanted, std::string_view name) {
    if (!wanted.ends_with("/*")) return text::equals_nocase(wanted, name);
    const std::string_view above(wanted.data(), wanted.size() - 1);
    return name.size() > above.size() && text::starts_with_nocase(name, above);
}

bool has_keyword(const Message& m, std::string_view keyword) {
    for (std::size_t bit = 0; bit < m.keywords->size() && bit < store::kMaxKeywords; ++bit)
        if ((m.row->keywords >> bit & 1) != 0 && text::equals_nocase((*m.keywords)[bit], keyword)) return true;
    return false;
}

bool holds(const Node& node, const Message& m) {
    const Query& q = *node.query;
    const auto child_holds = [&](const Node& child) { return holds(child, m); };
    switch (q.kind) {
        case Kind::And: return std::all_of(node.children.begin(), node.children.end(), child_holds);
        case Kind::Or: return std::any_of(node.children.begin(), node.children.end(), child_holds);
        case Kind::Not: return !holds(node.children.front(), m);
        case Kind::Text:
        case Kind::Attachment: return std::binary_search(node.documents.begin(), node.documents.end(), m.document);
        case Kind::Mailbox: return is_mailbox(q.text, m.mailbox);
        case Kind::Flag: return ((m.row->flags & q.flag) != 0) == q.set;
        case Kind::Keyword: return has_keyword(m, q.text);
        case Kind::Before: return m.row->internal_date < q.number;
        case Kind::Since: return m.row->internal_date >= q.number;
        case Kind::Larger: return m.row->size > static_cast<std::uint64_t>(q.number);
        case Kind::Smaller: return m.row->size < static_cast<std::uint64_t>(q.number);
    }
    return false;
}

// Whether it may hold for a message of this mailbox that is this document, whatever its row says: spares reading the
// rows of mailboxes where nothing can be found.
bool may_hold(const Node& node, std::string_view mailbox, Document document) {
    const Query& q = *node.query;
    const auto child_may = [&](const Node& child) { return may_hold(child, mailbox, document); };
    switch (q.kind) {
        case Kind::And: return std::all_of(node.children.begin(), node.children.end(), child_may);
        case Kind::Or: return std::any_of(node.children.begin(), node.children.end(), child_may);
        case Kind::Text:
        case Kind::Attachment: return std::binary_search(node.documents.begin(), node.documents.end(), document);
        case Kind::Mailbox: return is_mailbox(q.text, mailbox);
        default: return true;
    }
}

}  // namespace

Result<std::vector<Match>> find(Index& index, store::Account& account, const Query& query) {
    GK_TRY(const auto root, prepare(index, query));
    const bool words = has_words(query);
    std::unordered_map<Document, std::int64_t> scores;
    std::string any;
    for (const auto& phrase : wanted_phrases(query))
        any += (any.empty() ? "(" : " OR (") + expression_for(phrase) + ')';
    GK_TRY(scores, index.rank(any));

    std::vector<Match> matches;
    GK_TRY(const auto entries, account.list());
    for (const auto& entry : entries) {
        if (!entry.exists) continue;
        auto mailbox = account.mailbox(entry.name);
        if (!mailbox && mailbox.error().code == Errc::NotFound) continue;
        if (!mailbox) return fail(mailbox.error());
        GK_TRY(const auto box, index.sync(*mailbox));
        GK_TRY(auto places, index.places(box));
        std::erase_if(places, [&](const Place& place) {
            return (words && place.document <= 0) || !may_hold(root, entry.name, place.document);
        });
        if (places.empty()) continue;
        GK_TRY(const auto snapshot, mailbox->snapshot(false));
        auto row = snapshot.rows.begin();
        for (const Place& place : places) {
            while (row != snapshot.rows.end() && row->uid < place.uid) ++row;
            if (row == snapshot.rows.end()) break;
            if (row->uid != place.uid) continue;
            if (!holds(root, {entry.name, &*row, place.document, &snapshot.keywords})) continue;
            const auto score = scores.find(place.document);
            matches.push_back({entry.name, *row, score == scores.end() ? 0 : score->second});
        }
    }
    std::stable_sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
        const auto a_step = a.score / kScoreStep, b_step = b.score / kScoreStep;
        return a_step != b_step ? a_step > b_step : a.row.internal_date > b.row.internal_date;
    });
    return matches;
}

std::string snippet(std::string_view body, const std::vector<Phrase>& phrases, std::size_t limit) {
    struct First {
        std::string token;
        bool prefix;
    };
    std::vector<First> firsts;
    for (const auto& phrase : phrases) {
        const auto tokens = query_tokens(phrase.text);
        if (!tokens.empty())
            firsts.push_back({tokens.front(), tokens.size() == 1 && (phrase.prefix || is_lone_letter(tokens.front()))});
    }
    std::size_t at = 0;
    tokenize(body, TokenUse::Indexing, [&](const Token& token) {
        for (const auto& first : firsts) {
            if (first.prefix ? !token.text.starts_with(first.token) : token.text != first.token) continue;
            at = token.begin;
            return false;
        }
        return true;
    });
    // A third of it before the word, from the beginning of a word where one is near.
    std::size_t begin = at > limit / 3 ? at - limit / 3 : 0;
    if (begin > 0) {
        const std::size_t space = body.find_first_of(" \n", begin);
        if (space != std::string_view::npos && space < at) begin = space + 1;
        while (begin > 0 && (static_cast<unsigned char>(body[begin]) & 0xc0) == 0x80) --begin;
    }
    std::size_t end = std::min(body.size(), begin + limit);
    while (end < body.size() && (static_cast<unsigned char>(body[end]) & 0xc0) == 0x80) ++end;
    std::string out = begin > 0 ? "…" : "";
    bool gap = false;
    for (const char c : body.substr(begin, end - begin)) {
        if (text::is_space(c) || static_cast<unsigned char>(c) < 0x20) {
            gap = !out.empty();
            continue;
        }
        if (gap) out += ' ';
        gap = false;
        out += c;
    }
    if (end < body.size()) out += "…";
    return out;
}

}  // namespace gk::search
