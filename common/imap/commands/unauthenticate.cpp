// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

namespace gk::imap {

// unauthenticate = "UNAUTHENTICATE": RFC 8437, 2. All that belongs to the session goes with it; TLS stays.
void Session::on(const Unauthenticate&) {
    if (!options_.can_unauthenticate) return complain(tag_, "UNAUTHENTICATE is not offered here");
    if (compressing_ != Compressing::No) return reply("NO [CANNOT] Not while compression is active");
    deselect();
    reply("OK Log in again");
    unauthenticated_ = closed_ = true;
}

}  // namespace gk::imap
