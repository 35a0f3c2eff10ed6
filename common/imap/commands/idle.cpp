// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

// idle = "IDLE" CRLF "DONE": RFC 9051, 6.3.13; RFC 2177
void Session::on(const Idle&) {
    out_.text() += "+ idling\r\n";
    state_ = State::Idling;
    reader_.expect_raw_line(true);
    tell_news(true);
}

void Session::end_idle(std::string_view line) {
    state_ = State::Ready;
    reader_.expect_raw_line(false);
    if (text::equals_nocase(line, "DONE")) finish("OK Idle done");
    else complain(tag_, "DONE expected to end IDLE");
}

}  // namespace gk::imap
