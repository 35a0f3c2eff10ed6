// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

namespace gk::imap {

// id = "ID" SP ("(" string SP nstring … ")" / NIL): RFC 2971, 3.1. What the client says of itself changes nothing.
void Session::on(const Id&) {
    untagged("ID (\"name\" \"gk\" \"version\" \"" GK_VERSION "\")");
    finish("OK Pleased to meet you");
}

}  // namespace gk::imap
