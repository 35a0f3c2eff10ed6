// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What a message's header says of its place in a conversation (RFC 5322, 3.6.4).
namespace gk::message {

// So many ancestors of one message are looked at: the first, and the last before it.
inline constexpr std::size_t kMostReferences = 256;

struct Lineage {
    // Digests of message ids in normal form; never 0. OWN is 0 where the message has none that can be read.
    std::uint64_t own = 0;
    std::vector<std::uint64_t> references;  // its ancestors, oldest first, without itself and without repeats in a row
    std::optional<std::int64_t> sent;       // the Date field in UTC, Unix seconds
    std::uint64_t subject = 0;              // digest of the base subject (RFC 5256, 2.1), case aside; 0: it is empty
    bool is_reply = false;                  // as the subject says
};

// BLOCK begins with a header block. Costs time linear in its length.
Lineage read_lineage(std::string_view block);

// The message ids of a Message-ID, References or In-Reply-To field in normal form ("left@right", quotes undone), in
// order; what is none is passed over (RFC 5256, 2.2: an id has an "@" in "<" and ">"). At most MOST, the last of them.
std::vector<std::string> parse_message_ids(std::string_view value, std::size_t most = kMostReferences);

}  // namespace gk::message
