// SPDX-License-Identifier: MIT
#include "common/smtp/session.hpp"

namespace gk::smtp {

// RFC 5321, 4.1.1.4.
void Session::on(const Data&) {
    if (!in_mail_) return refuse(503, "5.5.1", "MAIL first");
    // RFC 3030, 2 and 3: DATA and BDAT do not mix, and BINARYMIME needs BDAT.
    if (chunking_ || mail_.body == Body::Binary) return refuse(503, "5.5.1", "use BDAT");
    if (recipients_ == 0) return refuse(554, "5.5.1", "no valid recipients");
    begin_content();
    input_mode_ = Input::Data;
    say(354, "", "end with CRLF.CRLF");
}

}  // namespace gk::smtp
