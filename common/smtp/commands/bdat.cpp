// SPDX-License-Identifier: MIT
#include "common/smtp/session.hpp"

namespace gk::smtp {

// RFC 3030, 2: the octets follow the command whether it is accepted or not, so they are always read.
void Session::on(const Bdat& bdat) {
    const auto max_size = settings_.limits.max_size;
    if (bdat.size > 2 * max_size + (1u << 20)) {
        // Not even to be read past.
        closed_amid_content_ = true;
        return hang_up(552, "5.3.4", "message is larger than " + std::to_string(max_size) + " bytes");
    }
    chunk_size_ = chunk_left_ = bdat.size;
    chunk_last_ = bdat.last;
    input_mode_ = Input::Chunk;
    // A transaction that lacks its parts is refused once the octets are past; so is all that follows a failure.
    if (!in_mail_ || recipients_ == 0) chunk_failed_ = true;
    else if (!content_begun_) begin_content();
    chunking_ = true;
    if (chunk_left_ == 0) take_chunk();
}

void Session::take_chunk() {
    const auto bytes = input_.substr(0, chunk_left_);
    input_.remove_prefix(bytes.size());
    chunk_left_ -= bytes.size();
    if (!chunk_failed_ && !bytes.empty()) {
        if (mail_.body != Body::Binary) line_ends_.feed(bytes);
        take_content(bytes);
    }
    if (chunk_left_ > 0) return;
    if (effect_) return;  // the bytes first; we are called again
    input_mode_ = Input::Line;
    if (chunk_failed_) {
        const bool no_mail = !in_mail_;
        const bool no_recipients = in_mail_ && recipients_ == 0;
        if (no_mail) chunk_failed_ = chunking_ = false;
        if (no_recipients) chunk_failed_ = false;
        if (no_recipients) return refuse(554, "5.5.1", "no valid recipients");
        return refuse(503, "5.5.1", no_mail ? "MAIL first" : "the transaction has failed; RSET");
    }
    if (chunk_last_) return end_content(mail_.body != Body::Binary && line_ends_.bare_at_end());
    if (content_size_ > settings_.limits.max_size) {
        chunk_failed_ = true;
        return refuse(552, "5.3.4", "message is larger than " + std::to_string(settings_.limits.max_size) + " bytes");
    }
    say(250, "2.0.0", std::to_string(chunk_size_) + " octets received");
}

}  // namespace gk::smtp
