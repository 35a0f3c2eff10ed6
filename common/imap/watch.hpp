// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/imap/grammar/command.hpp"
#include "common/store/account.hpp"

namespace gk::imap {

// What a client asked for by NOTIFY SET (RFC 5465), and what of it was told already. Names are the store's.
class Watch {
public:
    // A client with more mailboxes than this is not told of them (RFC 5465, 5.8: NOTIFICATIONOVERFLOW).
    static constexpr std::size_t kMaxMailboxes = 20'000;

    explicit Watch(std::vector<NotifyGroup> groups) : groups_(std::move(groups)) {}

    // Of the selected mailbox; nothing where the client wants no news of it.
    const NotifyGroup* selected() const noexcept;
    // Whether anything but the selected mailbox is watched.
    bool of_account() const noexcept;

    struct News {
        enum class Kind { Created, Renamed, Removed, Subscription, Messages, Metadata };
        Kind kind = Kind::Messages;
        std::string mailbox, old_name = {};
        bool exists = true, subscribed = false;
        std::vector<std::string> entries = {};  // of Metadata; its mailbox is empty for the account's own
    };
    // What happened since the last look, in the order in which it is to be told. SELECTED: whose messages are told
    // otherwise. The first look only remembers. Unsupported: the account has too many mailboxes.
    Result<std::vector<News>> look(store::Account& account, std::string_view selected);
    // Those whose messages are watched, for STATUS at the beginning.
    std::vector<std::string> watched(std::string_view selected) const;

private:
    struct Known {
        store::MailboxMark mark;
        bool exists = false, subscribed = false;
    };
    void look_at_metadata(store::Account& account, bool first, std::vector<News>& news);
    bool wants(const std::string& mailbox, bool subscribed, bool NotifyGroup::*event) const;
    bool wants_messages(const Known& before, const Known& now) const;

    std::vector<NotifyGroup> groups_;
    std::map<std::string, Known> known_;
    // Of mailboxes whose annotations are watched: the version, and hashes of the values.
    struct Annotated {
        std::uint64_t version = 0;
        std::map<std::string, std::size_t> values;
    };
    std::map<std::string, Annotated> annotated_;
    bool looked_ = false;
};

}  // namespace gk::imap
