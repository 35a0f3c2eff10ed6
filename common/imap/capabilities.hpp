// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>
#include <cstdint>
#include <string>
#include <string_view>

namespace gk::imap {

// What a logged-in session can do, each complete. Before login, the front adds its AUTH= and STARTTLS.
constexpr std::string_view kCapabilities =
    "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ENABLE ID IDLE NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE SPECIAL-USE "
    "CREATE-SPECIAL-USE "
    "LIST-EXTENDED LIST-STATUS LIST-METADATA METADATA STATUS=SIZE QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE "
    "ESEARCH SEARCHRES SEARCH=FUZZY BINARY CONDSTORE QRESYNC WITHIN SORT SORT=DISPLAY ESORT PARTIAL "
    "CONTEXT=SEARCH CONTEXT=SORT MULTISEARCH NOTIFY UIDONLY INPROGRESS "
    "MULTIAPPEND REPLACE CATENATE UTF8=ACCEPT SAVEDATE PREVIEW "
    "OBJECTID THREAD=ORDEREDSUBJECT THREAD=REFERENCES";

// With the largest message that may be appended (RFC 7889, 3).
inline std::string capabilities(std::uint64_t max_message) {
    return fmt::format("{} APPENDLIMIT={}", kCapabilities, max_message);
}

}  // namespace gk::imap
