// SPDX-License-Identifier: MIT
#include "common/message/preview.hpp"
#include "common/store/mailbox.hpp"
#include "common/store/state.hpp"

namespace gk::store {

namespace {

Result<std::optional<std::string>> kept_preview(State& state, std::int64_t key) {
    GK_TRY(auto query, state.index.prepare("SELECT preview FROM previews WHERE key = ?"));
    GK_TRY(const bool row, query.bind(key).step());
    std::optional<std::string> preview;
    if (row) preview = std::string(query.text(0));
    query.reset();
    return preview;
}

Status keep_previews(State& state, const std::vector<std::pair<std::int64_t, std::string>>& made) {
    GK_TRY(auto transaction, WriteTransaction::begin(state));
    GK_TRY(auto insert, state.index.prepare("INSERT OR REPLACE INTO previews(key, preview) SELECT ?, ? WHERE EXISTS "
                                            "(SELECT 1 FROM messages WHERE key = ?)"));
    for (const auto& [key, preview] : made) GK_CHECK(insert.bind(key).bind(preview).bind(key).run());
    return transaction.commit();
}

}  // namespace

Result<std::vector<std::optional<std::string>>> Mailbox::previews(std::span<const Uid> uids, bool only_kept) {
    State& state = account_->state();
    std::vector<std::optional<std::string>> found(uids.size());
    {
        const Locked lock(state);
        for (std::size_t i = 0; i < uids.size(); ++i) {
            GK_TRY(found[i], kept_preview(state, row_key(number_, uids[i])));
        }
    }
    if (only_kept) return found;
    std::vector<std::pair<std::int64_t, std::string>> made;
    for (std::size_t i = 0; i < uids.size(); ++i) {
        if (found[i]) continue;
        const auto opened = open(uids[i]);
        if (!opened && opened.error().code == Errc::NotFound) continue;
        if (!opened) return fail(opened.error());
        GK_TRY(const auto structure, this->structure(uids[i]));
        found[i] = message::preview(opened->file.bytes(), structure);
        made.emplace_back(row_key(number_, uids[i]), *found[i]);
    }
    // Kept for the next time where that is possible now; the answer does not depend on it.
    if (!made.empty()) {
        const Locked lock(state);
        (void)keep_previews(state, made);
    }
    return found;
}

}  // namespace gk::store
