// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

namespace gk::imap {

// enable = "ENABLE" 1*(SP capability): RFC 9051, 6.3.1; RFC 5161. What is not known is passed over.
void Session::on(const Enable& enable) {
    std::string enabled;
    for (const std::string& name : enable.capabilities) {
        if (name != "IMAP4REV2" || rev2_) continue;
        rev2_ = true;
        enabled += " IMAP4rev2";
    }
    untagged("ENABLED" + enabled);
    finish("OK Enabled");
}

}  // namespace gk::imap
