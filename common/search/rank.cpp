// SPDX-License-Identifier: MIT
#include <sqlite3.h>
#include <cmath>
#include <memory>
#include <vector>

#include "common/search/tokens.hpp"

// How well a row fits a query: BM25 (Robertson and Zaragoza, 2009) over all columns together, in thousandths. FTS5's
// own bm25() gives a word that is in half of the rows no weight at all; in a small mailbox that is most words. Here its
// weight is ln(1 + (N - n + 0.5) / (n + 0.5)), which is never nothing.
namespace gk::search {

namespace {

// Saturation of a word that is repeated, and how much the length of a message counts: the usual values.
constexpr double kSaturation = 1.2, kLength = 0.75;
// Of a word in: subject, from, to, cc, bcc, other fields, names of attachments, body.
constexpr double kWeights[] = {5, 3, 2, 1, 1, 1, 3, 1};

struct Statistics {
    double average_length = 1;
    std::vector<double> rarity;  // of each phrase of the query
};

int count_row(const Fts5ExtensionApi*, Fts5Context*, void* count) noexcept {
    ++*static_cast<sqlite3_int64*>(count);
    return SQLITE_OK;
}

// Worked out for the first row and kept for the query.
int statistics_of(const Fts5ExtensionApi* api, Fts5Context* context, Statistics** out) {
    *out = static_cast<Statistics*>(api->xGetAuxdata(context, 0));
    if (*out != nullptr) return SQLITE_OK;
    auto made = std::make_unique<Statistics>();
    sqlite3_int64 rows = 0, words = 0;
    if (const int code = api->xRowCount(context, &rows); code != SQLITE_OK) return code;
    if (const int code = api->xColumnTotalSize(context, -1, &words); code != SQLITE_OK) return code;
    if (rows > 0 && words > 0) made->average_length = static_cast<double>(words) / static_cast<double>(rows);
    for (int phrase = 0; phrase < api->xPhraseCount(context); ++phrase) {
        sqlite3_int64 with = 0;
        if (const int code = api->xQueryPhrase(context, phrase, &with, count_row); code != SQLITE_OK) return code;
        const double n = static_cast<double>(with), all = static_cast<double>(rows);
        made->rarity.push_back(std::log1p((std::fmax(all - n, 0) + 0.5) / (n + 0.5)));
    }
    *out = made.get();
    return api->xSetAuxdata(context, made.release(), [](void* old) { delete static_cast<Statistics*>(old); });
}

void rank(const Fts5ExtensionApi* api, Fts5Context* context, sqlite3_context* result, int, sqlite3_value**) noexcept {
    Statistics* statistics = nullptr;
    int code = statistics_of(api, context, &statistics);
    int instances = 0, length = 0;
    if (code == SQLITE_OK) code = api->xInstCount(context, &instances);
    if (code == SQLITE_OK) code = api->xColumnSize(context, -1, &length);
    if (code != SQLITE_OK) return ::sqlite3_result_error_code(result, code);
    std::vector<double> frequency(statistics->rarity.size());
    for (int i = 0; i < instances; ++i) {
        int phrase = 0, column = 0, offset = 0;
        code = api->xInst(context, i, &phrase, &column, &offset);
        if (code != SQLITE_OK) return ::sqlite3_result_error_code(result, code);
        const bool known = static_cast<std::size_t>(column) < std::size(kWeights);
        frequency.at(static_cast<std::size_t>(phrase)) += known ? kWeights[column] : 1;
    }
    const double relative = 1 - kLength + kLength * length / statistics->average_length;
    double score = 0;
    for (std::size_t i = 0; i < frequency.size(); ++i)
        score += statistics->rarity[i] * frequency[i] * (kSaturation + 1) / (frequency[i] + kSaturation * relative);
    ::sqlite3_result_int64(result, std::llround(1000 * score));
}

}  // namespace

int register_rank(fts5_api* api) { return api->xCreateFunction(api, "gk_rank", nullptr, rank, nullptr); }

}  // namespace gk::search
