// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/imap/session.hpp"
#include "common/spam/pending.hpp"

namespace gk::imap {

namespace {

// RFC 4315, 3: "COPYUID" SP uidvalidity SP uid-set SP uid-set, both in the order of copying
std::string copied_code(const store::Copied& copied) {
    std::vector<store::Uid> sources, targets;
    for (const auto& [source, target] : copied.uids) {
        sources.push_back(source);
        targets.push_back(target);
    }
    std::string code = fmt::format("[COPYUID {} ", copied.uidvalidity);
    append_uid_set(code, sources);
    code += ' ';
    append_uid_set(code, targets);
    return code + ']';
}

// Moving to Junk says that it is spam, and out of it, but not away, that it is not. What is noted, gk-spam learns.
void note_verdict(store::Account& account, const std::string& from, const std::string& to,
                  const store::Copied& copied) {
    auto junk = account.find_special_use("\\Junk");
    if (junk && junk->empty()) junk = account.find_any_case("Junk");
    if (!junk || junk->empty() || (from == *junk) == (to == *junk)) return;
    const auto trash = account.find_special_use("\\Trash");
    if (!trash || to == *trash) return;
    spam::Pending pending{to == *junk, to, copied.uidvalidity, {}};
    for (const auto& [source, target] : copied.uids) pending.uids.push_back(target);
    spam::note_pending(account.home(), pending);
}

}  // namespace

// copy = "COPY" SP sequence-set SP mailbox: RFC 9051, 6.4.7; move = "MOVE" SP sequence-set SP mailbox: RFC 9051, 6.4.8
// and RFC 6851. All or none.
void Session::on(const Copy& command) {
    if (command.move ? !need_writable() : !need_selected()) return;
    if (!need_uid(command.uid)) return;
    const auto ranges = resolve(command.set, command.uid);
    if (!ranges) return;
    const auto name = mailbox_named(command.mailbox);
    if (!name) return;
    const std::vector<store::Uid> uids = view_->uids_of(*ranges);
    if (uids.empty()) return finish("OK No such messages");
    const auto copied = command.move ? view_->mailbox().move(uids, *name) : view_->mailbox().copy(uids, *name);
    if (!copied) return refuse(copied.error(), "TRYCREATE");
    if (copied->uids.empty()) return finish("NO [EXPUNGEISSUED] The messages were expunged meanwhile");
    note_verdict(*account_, view_->mailbox().name(), *name, *copied);
    if (!command.move) return finish(fmt::format("OK {} Copied", copied_code(*copied)));
    // RFC 6851, 4.3: COPYUID before the EXPUNGEs.
    untagged(fmt::format("OK {} Moved", copied_code(*copied)));
    std::vector<store::Uid> gone;
    for (const auto& [source, target] : copied->uids) gone.push_back(source);
    view_->vanish(gone);
    tell_vanished();
    if (!condstore_) return finish("OK Moved");
    tell_news(true);
    if (!closed_) reply_with_modseq("OK Moved", view_->told_modseq());
    shown_modseq_ = 0;
}

}  // namespace gk::imap
