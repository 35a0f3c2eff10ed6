// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/imap/format/section.hpp"
#include "common/message/decoder.hpp"
#include "common/store/mailbox.hpp"

namespace gk::imap {

// What a session has to say: own bytes, and slices of message files that are read (and converted) only when the
// host drains them. So a 50 MB answer takes a few KB.
class OutputQueue {
public:
    using File = std::shared_ptr<const store::OpenMessage>;

    // Own bytes; append to this directly.
    std::string& text();
    // A slice of FILE, with its LFs as CRLF where TO_CRLF. OCTETS: its length on the wire.
    void slice(const File& file, std::uint64_t begin, std::uint64_t end, bool to_crlf, std::uint64_t octets);
    // The same with a transfer encoding undone; of the result, COUNT octets from SKIP on.
    void decoded(const File& file, std::uint64_t begin, std::uint64_t end, bool to_crlf, message::Encoding encoding,
                 std::uint64_t skip, std::uint64_t count);

    bool empty() const noexcept;
    // About how many octets wait; slices count in full.
    std::uint64_t waiting() const noexcept { return slices_octets_ + text_.size(); }
    // The next octets, at least one unless empty(); valid until the next call of anything here.
    std::string_view front();
    void consume(std::size_t count);

private:
    struct Chunk {
        std::string own;  // where file is empty
        File file;
        std::uint64_t at = 0, end = 0, octets = 0;
        bool to_crlf = false, finished = false;
        CrlfWriter crlf;
        std::optional<message::Decoder> decoder;
        std::uint64_t skip = 0, left = UINT64_MAX;
    };
    void close_text();
    void refill(Chunk& chunk);

    std::deque<Chunk> chunks_;
    std::string text_;   // own bytes behind the chunks
    std::string ready_;  // converted from the first chunk
    std::size_t ready_at_ = 0;
    std::uint64_t slices_octets_ = 0;
};

// Octets of a decoded slice, and whether a NUL is among them: a pass over it that keeps nothing.
struct DecodedSize {
    std::uint64_t octets = 0;
    bool has_nul = false;
};
DecodedSize decoded_size(std::string_view bytes, bool to_crlf, message::Encoding encoding);

}  // namespace gk::imap
