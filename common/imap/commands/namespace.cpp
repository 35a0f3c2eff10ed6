// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

namespace gk::imap {

// namespace = "NAMESPACE": RFC 9051, 6.3.10; RFC 2342, 5: personal, other users', shared.
void Session::on(const Namespace&) {
    untagged("NAMESPACE ((\"\" \"/\")) NIL NIL");
    finish("OK Namespaces listed");
}

}  // namespace gk::imap
