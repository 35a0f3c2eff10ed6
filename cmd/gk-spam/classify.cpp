// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "cmd/gk-spam/gk_spam.hpp"
#include "common/charset/charset.hpp"
#include "common/cli/cli.hpp"
#include "common/os/file.hpp"

namespace gk::spam_tool {

namespace {

constexpr int kHam = 0, kSpam = 1, kUnsure = 2;

// The table of a model; none where nothing was learned yet.
Result<spam::Table> table_in(const std::string& directory, const spam::ModelOptions& options) {
    if (directory.empty() || !os::exists(directory + "/spam.db")) return spam::Table{};
    auto table = spam::Table::open(spam::Model::table_path(directory));
    if (table || table.error().code != Errc::NotFound) return table;
    GK_CHECK(spam::Model::open(directory, options));
    return spam::Table::open(spam::Model::table_path(directory));
}

}  // namespace

int classify(const Arguments& a) {
    const auto place = place_of(a);
    if (!place) return failed(place.error());
    const auto shared = table_in(place->shared, spam::shared_options(place->config));
    if (!shared) return cli::fail(shared.error());
    const auto own = table_in(place->own, spam::account_options(place->config));
    if (!own) return cli::fail(own.error());
    const spam::Table* const tables[] = {&*shared, &*own};
    const auto rules = spam::rules(place->config);
    const auto limits = spam::feature_limits(place->config);
    const std::vector<std::string> from_stdin{"-"};
    const auto& paths = a.messages.empty() ? from_stdin : a.messages;

    int code = kHam;
    cli::Rows rows(a.json, {"message", "verdict", "score", "reasons"});
    cli::Progress progress("judging", count_files(paths));
    for (const std::string& path : paths) {
        const Status read = read_messages(path, [&](const std::string& name, std::string_view bytes) {
            const auto judged = spam::judge(spam::features_of(bytes, limits), tables, rules);
            std::string reasons;
            for (const auto& reason : judged.reasons)
                reasons += fmt::format("{}{} {:+.2f}", reasons.empty() ? "" : ", ", reason.feature, reason.weight);
            rows.add({name, std::string(spam::verdict_name(judged.verdict)), fmt::format("{:.12f}", judged.score),
                      charset::valid_utf8(reasons)});
            if (judged.verdict == spam::Verdict::Spam) code = kSpam;
            if (judged.verdict == spam::Verdict::Unsure && code == kHam) code = kUnsure;
            progress.advance();
            return ok();
        });
        if (!read) return cli::fail(read.error());
    }
    return code;
}

int features(const Arguments& a) {
    const auto place = place_of(a);
    if (!place) return failed(place.error());
    cli::Rows rows(a.json, {"feature"});
    const Status read = read_messages(a.file, [&](const std::string&, std::string_view bytes) {
        const auto found = spam::features_of(bytes, spam::feature_limits(place->config));
        for (std::size_t i = 0; i < found.size(); ++i) rows.add({charset::valid_utf8(found.text(i))});
        return ok();
    });
    return read ? 0 : cli::fail(read.error());
}

}  // namespace gk::spam_tool
