// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace gk::smtp_client {

// A server's reply (RFC 5321, 4.2) with its enhanced status code (RFC 3463).
struct Reply {
    int code = 0;                    // 200 to 599; 0: none came
    std::string enhanced;            // "5.1.1"; empty where the server gave none
    std::vector<std::string> lines;  // text of each line without code and enhanced code

    bool positive() const noexcept { return code >= 200 && code < 300; }
    bool intermediate() const noexcept { return code >= 300 && code < 400; }
    bool transient() const noexcept { return code >= 400 && code < 500; }
    bool permanent() const noexcept { return code >= 500; }
    // On one line: "550 5.1.1 no such user; see https://…". Printable; lines joined by a blank.
    std::string text() const;
    // The enhanced code, or the general one of the reply's class: "5.0.0".
    std::string status() const;
};

// Reads replies out of bytes as they come. A line ends with LF; CR before it is dropped, and so is a bare LF's lack
// of it (old appliances). Bounds: more than what RFC 5321, 4.5.3.1.5 asks for, since DNS list operators put
// stories into replies; past them the peer is not speaking SMTP.
class ReplyParser {
public:
    static constexpr std::size_t kMaxLine = 4096;
    static constexpr std::size_t kMaxLines = 128;

    // Takes bytes up to the end of one reply and moves BYTES past what was taken. The reply, or nothing while it is
    // unfinished; BadInput where it is no reply. After a reply the parser is ready for the next.
    Result<std::optional<Reply>> feed(std::string_view& bytes);

private:
    Result<bool> take_line(std::string_view line);  // true: it was the last one
    std::string line_;
    Reply reply_;
};

// "5.1.1" at the begin of TEXT, followed by a blank or the end (RFC 2034, 4); its length in LENGTH.
std::string_view enhanced_code(std::string_view text) noexcept;

}  // namespace gk::smtp_client
