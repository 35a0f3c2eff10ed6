// SPDX-License-Identifier: MIT
#include "common/store/account.hpp"

#include <array>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/db/database.hpp"
#include "common/maildir/layout.hpp"
#include "common/maildir/name.hpp"
#include "common/os/file.hpp"
#include "common/store/incoming.hpp"
#include "common/store/mailbox.hpp"
#include "common/store/state.hpp"

namespace gk::store {

namespace {

constexpr std::array<DefaultMailbox, 5> kDefaultMailboxes = {
    {{"Drafts", "\\Drafts"}, {"Sent", "\\Sent"}, {"Junk", "\\Junk"}, {"Trash", "\\Trash"}, {"Archive", "\\Archive"}}};

Status create_account(Account& account) {
    account.state().making = true;
    if (const auto inbox = account.status("INBOX"); !inbox) return fail(inbox.error());  // gives it its UIDVALIDITY
    for (const auto& [name, special_use] : default_mailboxes())
        // One that is there stays as it is: two programs may be making the account at once.
        if (const auto made = account.create(name, special_use); !made && made.error().code != Errc::Exists)
            return made;
    GK_CHECK(os::sync_filesystem(account.home()));
    account.state().making = false;
    return account.subscribe_defaults();
}

}  // namespace

std::span<const DefaultMailbox> default_mailboxes() noexcept { return kDefaultMailboxes; }

void warm_up() {
    (void)maildir::boot_id();
    (void)maildir::host_name();
    // What SQLite makes of itself at the first open; a process that is forked then shares it.
    (void)db::Database::open(":memory:");
}

std::string State::path_of(std::string_view mailbox) const {
    const auto directory = maildir::directory_of(mailbox);
    return directory.empty() ? root : root + '/' + directory;
}

Status State::replace(const std::string& path, std::string_view bytes) {
    if (!making) {
        if (path.rfind('/') != root.size()) return os::replace_file(path, bytes);
        TreeChange change(*this);
        GK_CHECK(os::replace_file(path, bytes));
        return change.done();
    }
    const std::string temporary = path + ".new." + new_id();
    GK_TRY(auto file, os::NewFile::create(temporary));
    Status done = file.write(bytes);
    if (done) done = file.close();
    if (done) done = os::rename(temporary, path);
    if (!done) file.unlink();
    return done;
}

Status State::sync(const std::string& directory) const { return making ? ok() : os::sync_directory(directory); }

Account::Account(std::unique_ptr<State> state) : state_(std::move(state)) {}
Account::~Account() = default;

Result<std::shared_ptr<Account>> Account::open(const std::string& home, const AccountOptions& options) {
    auto state = std::make_unique<State>();
    state->home = home;
    state->root = home + "/Maildir";
    state->options = options;
    state->writer = options.writer;
    if (state->writer == nullptr) {
        state->own_writer = std::make_unique<maildir::Writer>();
        state->writer = state->own_writer.get();
    }
    const bool fresh = !os::exists(state->root + "/cur");
    if (fresh) {
        if (!options.create) return fail(Errc::NotFound, "there is no Maildir in '" + home + "'");
        GK_CHECK(maildir::create_directories(state->root, true, false));
    }
    GK_TRY(state->index, open_index(home));
    std::shared_ptr<Account> account(new Account(std::move(state)));
    // subscriptions is written last: without it an account may have been left half made.
    if (options.create && (fresh || !os::exists(account->maildir() + "/subscriptions")))
        GK_CHECK(create_account(*account));
    return account;
}

const std::string& Account::home() const noexcept { return state_->home; }
const std::string& Account::name() const noexcept { return state_->options.name; }
std::string Account::maildir() const { return state_->root; }
std::string Account::mailbox_path(std::string_view mailbox) const { return state_->path_of(canonical_name(mailbox)); }

std::string Account::mailbox_of_directory(std::string_view directory) {
    if (directory.empty() || directory == ".") return "INBOX";
    return maildir::name_of(directory).value_or("");
}

Result<MailboxStatus> Account::status(std::string_view mailbox_name) {
    GK_TRY(auto selected, mailbox(mailbox_name));
    return selected.status();
}

Result<Mailbox> Account::mailbox(std::string_view mailbox) {
    State& s = *state_;
    const Locked lock(s);
    GK_TRY(auto record, get_mailbox(s, mailbox));
    GK_CHECK(refresh(s, record, false));
    return Mailbox(shared_from_this(), record.number, record.uidvalidity, record.name);
}

Status Account::reconcile(bool thorough) {
    State& s = *state_;
    const Locked lock(s);
    if (thorough) {
        s.tree_stamp = {};
        GK_CHECK(save_tree_stamp(s, {}));
    }
    GK_CHECK(sync_tree(s));
    GK_TRY(auto records, all_records(s));
    for (auto& record : records) GK_CHECK(refresh(s, record, thorough));
    return ok();
}

Status check_name(std::string_view mailbox) { return maildir::check_name(mailbox); }

std::string canonical_name(std::string_view mailbox) {
    if (mailbox.size() > 1 && mailbox.ends_with('/')) mailbox.remove_suffix(1);
    std::string name(mailbox);
    if (text::starts_with_nocase(name, "INBOX") && (name.size() == 5 || name[5] == '/')) name.replace(0, 5, "INBOX");
    return name;
}

}  // namespace gk::store
