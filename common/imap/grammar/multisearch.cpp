// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/imap/grammar/rules.hpp"

namespace gk::imap {

namespace {

using Kind = SearchSource::Kind;

constexpr std::pair<std::string_view, Kind> kNames[] = {
    {"SELECTED", Kind::Selected},     {"INBOXES", Kind::Inboxes}, {"PERSONAL", Kind::Personal},
    {"SUBSCRIBED", Kind::Subscribed}, {"SUBTREE", Kind::Subtree}, {"SUBTREE-ONE", Kind::SubtreeOne},
    {"MAILBOXES", Kind::Mailboxes}};

// As many as a person has; each is looked for among all there are.
constexpr std::size_t kMaxSources = 100, kMaxNames = 1000;

// filter-mailboxes = "selected" / "inboxes" / "personal" / "subscribed" /
//                    ("subtree" / "subtree-one" / "mailboxes") SP (mailbox / "(" mailbox *(SP mailbox) ")")
SearchSource source(Scanner& in) {
    SearchSource source;
    for (const auto& [name, kind] : kNames) {
        if (!in.accept_word(name)) continue;
        source.kind = kind;
        if (kind < Kind::Subtree) return source;
        in.space();
        if (!in.accept('(')) {
            source.mailboxes.push_back(in.mailbox());
            return source;
        }
        do {
            source.mailboxes.push_back(in.mailbox());
            if (source.mailboxes.size() > kMaxNames) in.fail("too many mailboxes");
        } while (in.accept(' '));
        in.expect(')');
        return source;
    }
    // RFC 7377, 2.2: "selected-delayed" is not for ESEARCH.
    in.fail("unknown mailboxes to search");
    return source;
}

}  // namespace

// esearch = "ESEARCH" [SP "IN" SP "(" filter-mailboxes *(SP filter-mailboxes) ")"] [search-return-opts] SP
//           ["CHARSET" SP charset SP] search-key *(SP search-key); RFC 7377, 3. No scope options are defined.
MultiSearch multisearch_command(Scanner& in) {
    MultiSearch search;
    in.space();
    if (in.accept_word("IN")) {
        in.space();
        in.expect('(');
        do {
            search.sources.push_back(source(in));
            if (search.sources.size() > kMaxSources) in.fail("too many sources");
        } while (in.accept(' '));
        in.expect(')');
        in.space();
    } else {
        search.sources.emplace_back();
    }
    search.returns = search_return(in);
    if (in.accept_word("CHARSET")) {
        in.space();
        search.charset = text::upper(in.astring());
        in.space();
    }
    search.key = search_program(in);
    return search;
}

}  // namespace gk::imap
