// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/imap/session.hpp"

namespace gk::imap {

// store = "STORE" SP sequence-set [SP store-modifiers] SP ["+" / "-"] "FLAGS" [".SILENT"] SP (flag-list / flag *(SP
// flag)) RFC 9051, 6.4.6; RFC 3501, 6.4.6; UNCHANGEDSINCE: RFC 7162, 3.1.3
void Session::on(const Store& command) {
    if (!need_writable() || !need_uid(command.uid)) return;
    const auto ranges = resolve(command.set, command.uid);
    if (!ranges) return;
    auto update = flag_update(command.flags);
    if (!update) return complain(tag_, "That is not a flag that can be set");
    update->action = command.mode == Store::Mode::Replace ? store::FlagAction::Replace
                     : command.mode == Store::Mode::Add   ? store::FlagAction::Add
                                                          : store::FlagAction::Remove;
    update->unchanged_since = command.unchanged_since;
    if (command.unchanged_since) enable_condstore();
    const std::vector<store::Uid> uids = view_->uids_of(*ranges);
    if (uids.empty()) return finish("OK No such messages", command.uid);
    auto stored = view_->mailbox().store(uids, *update);
    if (!stored) return refuse(stored.error());
    if (view_->set_keywords(std::move(stored->keywords))) tell_flags_known();

    store::KeywordMask named = 0;
    for (std::size_t i = 0; i < view_->keywords().size() && i < store::kMaxKeywords; ++i)
        for (const std::string& keyword : update->keywords)
            if (view_->keywords()[i] == keyword) named |= store::KeywordMask{1} << i;
    for (const store::Row& row : stored->rows) {
        const auto index = view_->find(row.uid);
        if (!index) continue;
        // .SILENT keeps quiet about what the client can work out itself, not about what others did meanwhile.
        store::Row expected = view_->rows()[*index];
        switch (update->action) {
            case store::FlagAction::Replace:
                expected.flags = update->flags;
                expected.keywords = named;
                break;
            case store::FlagAction::Add:
                expected.flags = static_cast<store::Flags>(expected.flags | update->flags);
                expected.keywords |= named;
                break;
            case store::FlagAction::Remove:
                expected.flags = static_cast<store::Flags>(expected.flags & ~update->flags);
                expected.keywords &= ~named;
                break;
        }
        view_->replace_row(*index, row);
        // With CONDSTORE a client is told the mod-sequence even so.
        const bool with_flags = !command.silent || row.flags != expected.flags || row.keywords != expected.keywords;
        if (with_flags || condstore_) tell_flags(*index, command.uid || rev2_ || qresync_, with_flags);
    }
    view_->know(stored->modseq);
    if (!stored->modified.empty()) {
        std::vector<std::uint32_t> refused;  // UIDs or sequence numbers, as the client speaks
        for (const store::Uid uid : stored->modified)
            refused.push_back(command.uid ? uid : view_->find(uid).value_or(0) + 1);
        std::string code = "OK [MODIFIED ";
        append_uid_set(code, refused);
        return finish(code + "] Some messages have changed since", command.uid);
    }
    if (stored->rows.size() < uids.size())
        finish("NO [EXPUNGEISSUED] Some messages were expunged meanwhile", command.uid);
    else finish("OK Stored", command.uid);
}

}  // namespace gk::imap
