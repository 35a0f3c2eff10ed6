// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Ids of objects that stay what they are wherever the object goes: lower case letters and digits only, so that they are
// fit for any protocol (RFC 8474, 7; RFC 8620, 1.2). Never given to anything else. They are made from what the files
// say, so that they are the same after the index was lost.
namespace gk::store {

// Of a mailbox: from the GUID in the header of its dovecot-uidlist, which goes along when it is renamed.
std::string mailbox_id(std::string_view guid);
// Of a message: from its GUID, which its copies have too.
std::string email_id(std::string_view guid);
// Of a conversation.
std::string thread_id(std::uint64_t number);
// 0: TEXT is no thread's id.
std::uint64_t parse_thread_id(std::string_view text) noexcept;

// The GUID of a message whose file has this base and whose uidlist line these fields: what the field G says, else the
// base, as Dovecot has it.
std::string message_guid(std::string_view base, std::string_view fields);
// The value of the field KEY among FIELDS ("W2481 Gabc"), or empty.
std::string_view uidlist_field(std::string_view fields, char key) noexcept;
// FIELDS with the field KEY set to VALUE, which has no space in it.
std::string with_uidlist_field(std::string_view fields, char key, std::string_view value);

}  // namespace gk::store
