// SPDX-License-Identifier: MIT
#include "common/imap/capabilities.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

std::string Session::capabilities() const {
    std::string list = imap::capabilities(options_.max_message);
    if (options_.can_compress && compressing_ == Compressing::No) list += " COMPRESS=DEFLATE";  // RFC 4978, 3
    if (options_.can_unauthenticate) list += " UNAUTHENTICATE";
    return list;
}

// capability = "CAPABILITY": RFC 9051, 6.1.1; RFC 3501, 6.1.1
void Session::on(const Capability&) {
    untagged("CAPABILITY " + capabilities());
    finish("OK That is what there is");
}

}  // namespace gk::imap
