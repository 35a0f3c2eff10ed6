// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "common/imap/grammar/command.hpp"
#include "common/store/mailbox.hpp"

// What sorts and searches ask of every message's envelope, worked out once and kept by the store.
namespace gk::imap {

// Of a text to sort by, so much counts: no sender can make a mailbox expensive to sort.
constexpr std::size_t kMaxSortText = 1024;

// The Date field, where there is one that can be read.
struct Sent {
    std::int64_t utc_s = 0;  // RFC 5256, 2.2
    int day = 0;             // days since 1970-01-01 as written, without regard to time and zone (RFC 9051, 6.4.4)
};
std::optional<Sent> sent(const message::Envelope& envelope);

// TAKE is called for each of UIDS, in their order. Empty Sent: no date, or a message that was expunged meanwhile, for
// which THERE is false.
Status sent_dates(store::Mailbox& mailbox, std::span<const store::Uid> uids,
                  const std::function<void(bool there, const std::optional<Sent>&)>& take);

// The text that KIND sorts by, in a form whose bytes are in the order of RFC 5051; nothing to tell of what was expunged
// meanwhile, which still has its place. TEXT lives as long as the call.
bool sorts_by_text(SortKey::Kind kind) noexcept;
Status sort_texts(store::Mailbox& mailbox, SortKey::Kind kind, std::span<const store::Uid> uids,
                  const std::function<void(std::string_view text)>& take);

}  // namespace gk::imap
