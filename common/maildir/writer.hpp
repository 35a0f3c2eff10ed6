// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/maildir/sync.hpp"
#include "common/os/fd.hpp"

// Durable writing into Maildirs, for every thread of a program at once:
//   create in tmp/  ->  write …  ->  commit: bytes flushed, renamed into new/ or cur/, directory flushed.
// A message costs at most two flushes in series, whatever the number of messages committed together, and
// threads that commit at the same time share them (see sync.hpp).
//
//   maildir::Writer writer;                                // one for the program
//   GK_TRY(auto message, writer.create(path_of_mailbox, unique_name));
//   GK_CHECK(message.write(bytes));                        // as often as needed
//   maildir::Placement one{&message, maildir::Sub::New, final_name};
//   GK_CHECK(writer.commit({&one, 1}));                    // success: durable under its final name
//
// The steps of commit() are there one by one too, for a caller that knows the final name only later:
// sync() the bytes; then, perhaps under a lock of its own, place(); then sync_directories() without the lock.
namespace gk::maildir {

enum class Sub { New, Cur };

// One message on its way: a file in tmp/ that nobody else sees. Destroyed before it is placed, it leaves nothing
// behind. After any error it is worthless: destroy it, and report Errc::Temporary. Not thread-safe.
class NewMessage {
public:
    NewMessage() = default;
    NewMessage(NewMessage&& other) noexcept { *this = std::move(other); }
    NewMessage& operator=(NewMessage&& other) noexcept;
    ~NewMessage() { abandon(); }

    // Buffered up to 64 KiB; an error may show only in a later call, but never after sync().
    Status write(std::string_view bytes);
    std::uint64_t size() const noexcept { return size_; }       // bytes written so far
    const std::string& name() const noexcept { return name_; }  // now: in tmp/, later new/ or cur/
    // The path now, for error texts and for reading back before the commit (call flush() first).
    std::string path() const;
    Status flush();                          // buffered bytes to the kernel; not durable
    Result<std::int64_t> written_s() const;  // when the kernel took the last bytes: its mtime, in Unix seconds
    // Flushes, and holds neither memory nor a descriptor until the commit. No bytes may follow.
    Status park();
    void abandon() noexcept;  // unlinks it unless commit() or sync_directories() succeeded; harmless when repeated

private:
    friend class Writer;
    Status write_through(std::string_view bytes);
    void come() noexcept;  // tells those who flush the directory that we are about to be renamed into it
    void came() noexcept;
    Status close_synced();
    Status reopen();  // where it was parked
    std::shared_ptr<MailboxDirectory> directory_;
    os::Fd fd_;
    std::string name_, buffer_;
    std::uint64_t size_ = 0, failure_epoch_ = 0;
    bool coming_ = false;
    enum class Where { Nowhere, Tmp, New, Cur } where_ = Where::Nowhere;
};

// Where a message goes: NAME is the complete final file name, with its ":2,FLAGS" for cur/.
struct Placement {
    NewMessage* message;
    Sub sub;
    std::string name;
};

// Thread-safe; one for a program. Holds up to `max_open_mailboxes` sets of directory descriptors.
class Writer {
public:
    explicit Writer(const SyncOptions& options = {}) : syncer_(options) {}

    // MAILBOX is the directory that holds tmp/, new/ and cur/. NAME must be unique (Maildir's rules) and is used in
    // tmp/. NotFound: there is no such mailbox (or it was removed just now).
    Result<NewMessage> create(const std::string& mailbox, std::string name);

    // All of MESSAGES durable under their final names, or none: on an error those already renamed are unlinked again
    // and none is left in tmp/. (A crash in the middle may leave some.) Every error but Bug and NotFound is Temporary.
    Status commit(std::span<Placement> messages);

    Status sync(std::span<NewMessage* const> messages);  // the bytes of all of them; closes their descriptors
    Status sync(NewMessage& message);
    Status place(const Placement& placement);  // rename; the message must be synced; never replaces a file
    Status sync_directories(
        std::span<NewMessage* const> messages);  // after it, they are delivered and out of our hands

    // For other durable changes of names in the same directories (flags, moves, expunges, COPY by link).
    Syncer& syncer() noexcept { return syncer_; }
    const Syncer& syncer() const noexcept { return syncer_; }

private:
    Status commit_together(GroupCommit& group, std::span<Placement> messages, std::span<NewMessage* const> all);
    Status place_all(std::span<Placement> messages);

    Syncer syncer_;
    std::atomic<std::size_t> committing_{0};
};

}  // namespace gk::maildir
