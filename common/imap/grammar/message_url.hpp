// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/imap/format/section.hpp"

namespace gk::imap {

// An IMAP URL that names a message or a part of one (RFC 5092, 2): what stands in CATENATE.
struct MessageUrl {
    std::string user, host;  // of the absolute form; decoded, and empty where it names none
    std::string mailbox;     // UTF-8; empty: the one that is selected
    std::optional<std::uint32_t> uidvalidity;
    std::uint32_t uid = 0;
    Section section;  // none given: the whole message
    std::optional<Partial> partial;
};

// Nothing where TEXT is no such URL, or one that carries rights of its own (URLAUTH).
std::optional<MessageUrl> parse_message_url(std::string_view text);

}  // namespace gk::imap
