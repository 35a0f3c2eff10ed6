// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/os/fd.hpp"
#include "common/store/types.hpp"

// What gk-imapd's parent and its sessions tell each other over their socketpair (SOCK_SEQPACKET): one datagram a note.
namespace gk::imap {

// Session to parent
struct Selected {
    std::string mailbox, directory;
};  // what to watch; both empty: nothing is selected
struct Watches {
    bool account = false;
};  // whether any change of the account is of interest, not only of the selected mailbox
struct OwnChange {
    std::string mailbox;
    store::ModSeq modseq = 0;
};
// Parent to session
struct LookNow {
    bool thorough = false;
};  // the selected mailbox changed, or may have, or whatever else the session watches
using Note = std::variant<Selected, Watches, OwnChange, LookNow>;

std::string format_note(const Note& note);
std::optional<Note> parse_note(std::string_view datagram);

// Without blocking: a note that does not fit is dropped, since whoever misses one looks for itself later.
void send_note(int fd, const Note& note) noexcept;
// The next one; nothing when none waits. CLOSED: the other side is gone.
std::optional<Note> receive_note(int fd, bool& closed) noexcept;

// Tells the parent of what this session's account commits.
class NoteSink : public store::ChangeSink {
public:
    explicit NoteSink(int fd) : fd_(fd) {}
    void changed(const store::Change& change) noexcept override;

private:
    int fd_;
};

}  // namespace gk::imap
