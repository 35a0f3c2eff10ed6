// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

// dovecot-uidlist, version 3: the UIDs of a mailbox.
//   3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1
//   25006 :1276528487.M364837P9451.kurkku,S=1355,W=1394
//   25017 W2481 :1276533073.M242911P3632.kurkku
// Lines are only appended until the file is replaced; a UID is given to the first name it stands with.
namespace gk::maildir {

struct UidEntry {
    std::uint32_t uid = 0;
    std::string_view extra;  // fields between UID and name as they are: "W2481", "P…"; kept, not understood
    std::string_view name;   // base of a file name
};

struct Uidlist {
    std::uint32_t validity = 0;
    std::uint32_t next = 1;         // greater than every UID ever given; at least what the header says
    std::string guid;               // 32 hex digits, or empty
    std::vector<UidEntry> entries;  // ascending; views into the bytes that were parsed
    bool damaged = false;           // lines were passed over: torn, out of order, malformed. Write it anew.
};

// BYTES must outlive the result. BadInput where there is no usable header: then no UID can be believed.
Result<Uidlist> parse_uidlist(std::string_view bytes);

std::string format_uidlist_header(std::uint32_t validity, std::uint32_t next, std::string_view guid);
void append_uidlist_line(std::string& out, std::uint32_t uid, std::string_view extra, std::string_view name);

// A new mailbox GUID: 32 hex digits.
std::string new_guid();

}  // namespace gk::maildir
