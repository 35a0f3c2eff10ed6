// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
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
// Ends its process if the front agrees; until an answer comes it says nothing more, and hears of no change.
struct WouldSleep {
    std::uint64_t heard = 0;              // notes of the parent: where that sent more, it must look first
    std::uint64_t read = 0, written = 0;  // bytes of the client's stream
    std::uint64_t left_ms = 0;            // so long the client may stay silent
    bool idling = false;                  // wants to hear of changes
    std::string state;                    // Session::put_to_sleep()
};
// The client gave up its account (UNAUTHENTICATE); fields as in WouldSleep.
struct GaveUp {
    std::uint64_t read = 0, written = 0;
    std::string rest;  // what it sent behind that
};
// A teller's news for one sleeping client (teller.hpp), and where its session stands then.
struct Told {
    std::string token, text, state;  // no text: there is much to tell, the session had better wake
    bool end = false;                // after that text the session is over
};
// Parent to session
struct LookNow {
    bool thorough = false;
};  // the selected mailbox changed, or may have, or whatever else the session watches
using Note = std::variant<Selected, Watches, OwnChange, LookNow, WouldSleep, GaveUp, Told>;

std::string format_note(const Note& note);
std::optional<Note> parse_note(std::string_view datagram);

// Without blocking: a note that does not fit is dropped, since whoever misses one looks for itself later.
// False: dropped.
bool send_note(int fd, const Note& note) noexcept;
// Waits until it fits; false where the other side is gone.
bool send_note_surely(int fd, const Note& note) noexcept;
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
