// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <cstdio>

#include "cmd/gk-search/gk_search.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/message/header.hpp"
#include "common/search/query.hpp"
#include "common/store/mailbox.hpp"

namespace gk::search_tool {

namespace {

// New messages that a query takes in first: seconds of work. More is left to `gk-search index`, and said.
constexpr std::size_t kTakeIn = 2'000;

struct Shown {
    std::string date, from, subject, path, snippet;
};

Result<Shown> show(store::Mailbox& mailbox, const search::Match& match, const std::vector<search::Phrase>& phrases,
                   bool with_snippet, const search::TextLimits& limits) {
    Shown shown;
    const store::Uid uid = match.row.uid;
    GK_TRY(auto paths, mailbox.paths({&uid, 1}));
    if (paths.empty()) return shown;  // expunged meanwhile
    shown.path = std::move(paths.front().second);
    shown.date = format_rfc3339(from_unix_s(match.row.internal_date));
    const auto structure = mailbox.structure(uid);
    const auto opened = mailbox.open(uid);
    if (!structure || !opened) return shown;
    const std::string_view bytes = opened->file.bytes();
    const auto block = bytes.substr(0, message::header_length(bytes));
    for (const auto& [name, target] : {std::pair("From", &shown.from), std::pair("Subject", &shown.subject)})
        if (const auto value = message::find_field(block, name)) *target = message::decode_text(*value);
    if (with_snippet) {
        const auto text = search::read_text(bytes, *structure, limits);
        shown.snippet = search::snippet(text.body, phrases);
    }
    return shown;
}

// The files' names, for programs.
Status print_paths(const Opened& opened, const std::vector<search::Match>& matches, char end) {
    for (const auto& match : matches) {
        GK_TRY(auto mailbox, opened.account->mailbox(match.mailbox));
        GK_TRY(const auto paths, mailbox.paths({&match.row.uid, 1}));
        for (const auto& [uid, path] : paths) {
            std::fwrite(path.data(), 1, path.size(), stdout);
            std::fputc(end, stdout);
        }
    }
    return ok();
}

}  // namespace

int query(const Arguments& arguments) {
    const auto wanted = search::parse_query(text::join(arguments.words, " "), to_unix_s(now()));
    if (!wanted) return cli::usage(wanted.error().text);
    if (arguments.limit < 0) return cli::usage("--limit wants 0 or more");
    const auto phrases = search::wanted_phrases(*wanted);
    std::vector<std::string> columns = {"mailbox", "uid", "date", "from", "subject"};
    if (arguments.json) columns = {"account", "mailbox", "uid", "score", "date", "from", "subject", "path", "snippet"};
    cli::Rows rows(arguments.json, columns);
    bool any = false;
    const int code = for_each(arguments, [&](const Opened& opened) -> Status {
        GK_TRY(auto index, search::Index::open(opened.home, opened.options));
        if (!arguments.as_it_is) GK_CHECK(take_in(index, opened, kTakeIn, [](std::size_t) {}));
        GK_TRY(const auto matches, search::find(index, *opened.account, *wanted));
        GK_TRY(const auto status, index.status());
        if (status.waiting > 0)
            fmt::print(stderr, "gk-search: {}: {} messages are not in the index yet: run 'gk-search index'\n",
                       opened.name, status.waiting);
        any |= !matches.empty();
        if (arguments.null || arguments.paths) return print_paths(opened, matches, arguments.null ? '\0' : '\n');
        std::int64_t listed = 0;
        for (const auto& match : matches) {
            if (arguments.limit > 0 && listed++ >= arguments.limit) {
                fmt::print(stderr, "gk-search: {}: {} more were found; see --limit\n", opened.name,
                           matches.size() - static_cast<std::size_t>(arguments.limit));
                break;
            }
            GK_TRY(auto mailbox, opened.account->mailbox(match.mailbox));
            GK_TRY(const auto shown, show(mailbox, match, phrases, arguments.json, opened.options.text));
            if (shown.path.empty()) continue;
            const std::int64_t uid = match.row.uid;
            if (arguments.json)
                rows.add({opened.name, match.mailbox, uid, match.score, shown.date, shown.from, shown.subject,
                          shown.path, shown.snippet});
            else rows.add({match.mailbox, uid, shown.date, shown.from, shown.subject});
        }
        return ok();
    });
    return code != 0 ? code : any ? 0 : 1;
}

}  // namespace gk::search_tool
