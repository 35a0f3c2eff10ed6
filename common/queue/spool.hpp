// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/os/file.hpp"
#include "common/queue/envelope.hpp"

namespace gk::queue {

// The spool, DIR: tmp/ (being written), new/ (committed, gk-queue has not looked yet), active/ (gk-queue's),
// dsn/ (DSNs that their messages do not say to be made yet: notices.hpp), corrupt/ (set aside for a person to look at;
// never deleted). Who drops messages needs rights to tmp/ and new/ only.
Status create_spool(const std::string& dir);

// Writes one message into the spool. Any thread, one writer a thread; memory does not grow with the message.
//
//   GK_TRY(auto writer, SpoolWriter::create(paths.spool, envelope));
//   GK_CHECK(writer.write(bytes));               // any number of times
//   GK_TRY(std::string id, writer.commit());     // only now may 250 be said
//
// Destruction without commit() leaves nothing behind. After an error only destruction is left to do.
class SpoolWriter {
public:
    // Errors: BadInput (no recipients, a bad id), Temporary (disk full …).
    static Result<SpoolWriter> create(const std::string& spool_dir, const Envelope& envelope);
    SpoolWriter(SpoolWriter&& other) noexcept;
    SpoolWriter& operator=(SpoolWriter&& other) noexcept;
    ~SpoolWriter();

    // Message bytes with CRLF line ends, kept exactly. SIZE limits are the caller's.
    Status write(std::string_view bytes);
    // Durable when it returns: file synced, renamed into FOLDER, directory synced (one sync serves all threads whose
    // rename came before it). Returns the queue id.
    Result<std::string> commit(std::string_view folder = "new");
    const std::string& id() const noexcept { return id_; }
    std::uint64_t size() const noexcept { return size_; }

private:
    SpoolWriter() = default;
    Status flush();
    os::NewFile file_;
    std::string dir_, id_, buffer_;
    std::uint64_t size_ = 0;
    std::uint32_t checksum_ = 0;
    std::string envelope_;
    bool open_ = false;
};

// fsync of a directory, shared: returns after a sync that began after this call. Any thread.
Status sync_directory_shared(const std::string& dir);

}  // namespace gk::queue
