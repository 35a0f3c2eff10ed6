// SPDX-License-Identifier: MIT
#include <array>

#include "common/net/stream.hpp"

namespace gk::net {

Status LineReader::fill(milliseconds timeout) {
    std::array<char, 4096> chunk;
    GK_TRY(const auto count, stream_.read_some(chunk, timeout));
    if (count == 0) return fail(Errc::Closed, "the peer ended the connection");
    buffer_.append(chunk.data(), count);
    return ok();
}

Result<std::string> LineReader::read_line(milliseconds timeout) {
    std::size_t searched = 0;
    for (;;) {
        const auto end = buffer_.find('\n', searched);
        if (end != std::string::npos) {
            if (end > max_line_)
                return fail(Errc::BadInput, "a line is longer than " + std::to_string(max_line_) + " bytes");
            std::string line = buffer_.substr(0, end);
            if (!line.empty() && line.back() == '\r') line.pop_back();
            buffer_.erase(0, end + 1);
            return line;
        }
        if (buffer_.size() > max_line_)
            return fail(Errc::BadInput, "a line is longer than " + std::to_string(max_line_) + " bytes");
        searched = buffer_.size();
        GK_CHECK(fill(timeout));
    }
}

Result<std::string> LineReader::read_exactly(std::size_t count, milliseconds timeout) {
    while (buffer_.size() < count) GK_CHECK(fill(timeout));
    std::string bytes = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return bytes;
}

std::string LineReader::take_buffered() { return std::exchange(buffer_, {}); }

}  // namespace gk::net
