// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// gk-state: one text file in each mailbox directory for what Dovecot has no file for. Lines "KEY VALUE…"; keys that
// this version does not know are kept as they are. See gk-maildir(5).
//   gk-state 1
//   boot 2d4e…                    the boot in which the ceilings were reserved
//   uid-ceiling 1001              no UID from here on was ever given to a message
//   modseq-ceiling 10001          the same for mod-sequences
//   special-use \Sent
//   uidvalidity 1795341029        what the UIDs below belong to
//   keyword 26 $Label             keywords that have no letter in file names, 26 to 63
//   messages 26 1,4:7             the messages that have them
//   threads 17                    messages up to this UID belong to a conversation: see the field T in the uidlist
namespace gk::maildir {

using UidRanges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;  // both ends included, ascending, disjoint

struct MailboxState {
    std::string boot;
    std::uint32_t uid_ceiling = 1;
    std::uint64_t modseq_ceiling = 1;
    std::string special_use;
    std::uint32_t uidvalidity = 0;
    std::map<unsigned, std::string> keywords;  // bit to name
    std::map<unsigned, UidRanges> messages;    // bit to UIDs
    std::uint32_t threads = 0;
    std::vector<std::string> unknown;  // other lines, in order
    bool operator==(const MailboxState&) const = default;
};

// Never fails: what is malformed is passed over, since all of it can be missed without losing mail.
MailboxState parse_state(std::string_view bytes);
std::string format_state(const MailboxState& state);

std::string format_ranges(const UidRanges& ranges);
UidRanges parse_ranges(std::string_view text);  // empty where malformed
// Sorted UIDs as ranges.
UidRanges to_ranges(const std::vector<std::uint32_t>& uids);

}  // namespace gk::maildir
