// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

namespace gk::imap {

// compress = "COMPRESS" SP "DEFLATE": RFC 4978, 3. The answer is the last thing that goes out uncompressed; what the
// client sends behind its command is compressed already.
void Session::on(const Compress& compress) {
    if (!options_.can_compress) return complain(tag_, "COMPRESS is not offered here");
    if (compress.algorithm != "DEFLATE") return reply("NO [CANNOT] Only DEFLATE is known");
    if (compressing_ != Compressing::No) return reply("NO [COMPRESSIONACTIVE] DEFLATE is active already");
    compressing_ = Compressing::Begins;
    more_ = false;  // the reader rests until the host has taken what is not for it any more
    reply("OK DEFLATE active");
}

bool Session::begins_to_compress(std::string& first) {
    if (compressing_ != Compressing::Begins) return false;
    compressing_ = Compressing::Yes;
    first = reader_.take_input();
    return true;
}

}  // namespace gk::imap
