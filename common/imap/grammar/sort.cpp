// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/base/text.hpp"
#include "common/imap/grammar/rules.hpp"

namespace gk::imap {

namespace {

using Kind = SortKey::Kind;

// RFC 5256, 3; DISPLAYFROM and DISPLAYTO: RFC 5957, 3; RELEVANCY: RFC 6203, 5
constexpr std::pair<std::string_view, Kind> kKeys[] = {{"ARRIVAL", Kind::Arrival},
                                                       {"CC", Kind::Cc},
                                                       {"DATE", Kind::Date},
                                                       {"FROM", Kind::From},
                                                       {"SIZE", Kind::Size},
                                                       {"SUBJECT", Kind::Subject},
                                                       {"TO", Kind::To},
                                                       {"DISPLAYFROM", Kind::DisplayFrom},
                                                       {"DISPLAYTO", Kind::DisplayTo},
                                                       {"RELEVANCY", Kind::Relevancy}};

// Each kind both ways would be 20; more of them can change nothing.
constexpr std::size_t kMaxSortKeys = 32;

SortKey sort_key(Scanner& in) {
    SortKey key;
    key.reverse = in.accept_word("REVERSE");
    if (key.reverse) in.space();
    for (const auto& [name, kind] : kKeys) {
        if (!in.accept_word(name)) continue;
        key.kind = kind;
        return key;
    }
    in.fail("an unknown sort criterion");
    return key;
}

}  // namespace

// sort = "SORT" [search-return-opts] SP "(" sort-criterion *(SP sort-criterion) ")" SP charset 1*(SP search-key)
// RFC 5256, 5; RETURN: RFC 5267, 3
Sort sort_command(Scanner& in, bool uid) {
    Sort sort;
    sort.uid = uid;
    in.space();
    sort.returns = search_return(in);
    in.expect('(');
    do {
        sort.keys.push_back(sort_key(in));
        if (sort.keys.size() > kMaxSortKeys) in.fail("too many sort criteria");
    } while (in.accept(' '));
    in.expect(')');
    in.space();
    sort.charset = text::upper(in.astring());
    in.space();
    sort.key = search_program(in);
    const bool by_relevancy =
        std::any_of(sort.keys.begin(), sort.keys.end(), [](const SortKey& key) { return key.kind == Kind::Relevancy; });
    if ((by_relevancy || sort.returns.relevancy) && !contains(sort.key, SearchKey::Kind::Fuzzy))
        in.fail("RELEVANCY wants a FUZZY key");
    return sort;
}

}  // namespace gk::imap
