// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/imap/capabilities.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

// capability = "CAPABILITY": RFC 9051, 6.1.1; RFC 3501, 6.1.1
void Session::on(const Capability&) {
    untagged(fmt::format("CAPABILITY {}", capabilities(options_.max_message)));
    finish("OK That is what there is");
}

}  // namespace gk::imap
