// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// Addresses of the header: address-list of RFC 5322, 3.4, with the obsolete forms of 4.4 and what senders get
// wrong. One pass, linear, never fails: what is no address is skipped, or kept as a display name.
namespace gk::address {

constexpr std::size_t kMaxListed = 20'000;  // entries of one field; the rest is not read

struct Listed {
    enum class Kind : unsigned char { Mailbox, GroupBegin, GroupEnd };
    Kind kind = Kind::Mailbox;
    std::string name;        // display name, raw: encoded words not decoded (message::decode_words). A group's name
    std::string route;       // obs-route: "@a,@b"
    std::string local_part;  // unquoted
    std::string domain;      // empty where the field had none

    bool operator==(const Listed&) const = default;
};

// VALUE is a field's body, folded or not.
std::vector<Listed> parse_list(std::string_view value);

// The encoded word (RFC 2047) that TEXT begins with, even where it holds specials that none may hold; empty where there
// is none. The parser takes it for one atom.
std::string_view encoded_word(std::string_view text) noexcept;

// Only the mailboxes, as local-part@domain with quoting where needed.
std::vector<std::string> addresses_of(std::string_view value);

}  // namespace gk::address
