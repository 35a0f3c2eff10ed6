// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace gk::imap {

// What a logged-in session can do, each complete. Before login, the front adds its AUTH= and STARTTLS.
constexpr std::string_view kCapabilities =
    "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ENABLE ID IDLE NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE SPECIAL-USE "
    "CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS LIST-METADATA METADATA STATUS=SIZE QUOTA QUOTA=RES-STORAGE "
    "QUOTA=RES-MESSAGE ESEARCH SEARCHRES SEARCH=FUZZY BINARY CONDSTORE QRESYNC WITHIN SORT SORT=DISPLAY ESORT "
    "PARTIAL CONTEXT=SEARCH CONTEXT=SORT MULTISEARCH";

}  // namespace gk::imap
