// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// File names of messages: BASE[,S=size][,W=wire size][:2,LETTERS]. The base never changes while a message lives; the
// letters are its flags: D draft, F flagged, R answered, S seen, T deleted, a-z the mailbox's keywords 0 to 25.
namespace gk::maildir {

// System flags in the order of their bits; the same bits as store::Flags.
inline constexpr std::uint8_t kSeen = 1, kAnswered = 2, kFlagged = 4, kDeleted = 8, kDraft = 16;

struct Letters {
    std::uint8_t flags = 0;
    std::uint32_t keywords = 0;  // bits 0 to 25
    std::string others;          // letters that gk does not know ("P", passed): kept as they are, sorted
    bool operator==(const Letters&) const = default;
};

struct FileName {
    std::string_view base;              // up to the ':' of the info part; identifies the message
    std::optional<std::uint64_t> size;  // S=: bytes of the file
    std::optional<std::uint64_t> wire;  // W=: bytes with CRLF line ends
    std::string_view letters;           // after ":2,"; empty where there is no such part
    bool has_info = false;
};

// Views into NAME. Nothing for what is no message: empty, a leading dot, control characters, longer than 255 bytes.
std::optional<FileName> parse_name(std::string_view name) noexcept;
// The part of NAME that identifies a message.
std::string_view base_of(std::string_view name) noexcept;

Letters parse_letters(std::string_view letters);
std::string format_letters(const Letters& letters);  // in ASCII order, as the Maildir convention asks
// BASE:2,LETTERS
std::string format_name(std::string_view base, const Letters& letters);

// A new base that no other process, thread or host makes: seconds, microseconds, process, count, host name.
std::string unique_base();
std::string with_sizes(std::string_view base, std::uint64_t size, std::uint64_t wire);

// The kernel's id of this boot, read once ("unknown-…" and different for each process where it cannot be read).
const std::string& boot_id();
// As it goes into file names: '/' and ':' written as \057 and \072.
const std::string& host_name();

}  // namespace gk::maildir
