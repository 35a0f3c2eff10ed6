// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

// Maildir++: INBOX is the Maildir itself, every other mailbox a directory in it, ".A.B" for A/B, levels in modified
// UTF-7. Beside tmp/, new/ and cur/ such a directory has an empty file maildirfolder.
namespace gk::maildir {

// The directory of mailbox NAME (UTF-8, '/') relative to the Maildir; "" for INBOX. NAME must have passed check_name.
std::string directory_of(std::string_view name);
// The mailbox of a directory's name in the Maildir; nothing for what is none.
std::optional<std::string> name_of(std::string_view directory);

// One level of a name: UTF-8 to modified UTF-7 and back. What is not modified UTF-7 is read as UTF-8 (a Dovecot with
// UTF-8 names), and what is neither has '?' for each byte that is wrong.
std::string encode_level(std::string_view level);
std::string decode_level(std::string_view level);

// BadInput with the reason why NAME cannot be a mailbox; see store::check_name.
Status check_name(std::string_view name);

// MAILBOX with tmp/, new/ and cur/ (and maildirfolder unless it is INBOX); with SYNC durable but for its own name in
// its parent.
Status create_directories(const std::string& mailbox, bool inbox, bool sync);

}  // namespace gk::maildir
