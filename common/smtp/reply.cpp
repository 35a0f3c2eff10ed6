// SPDX-License-Identifier: MIT
#include "common/smtp/reply.hpp"

#include "common/base/text.hpp"

namespace gk::smtp {

std::string Reply::format() const {
    std::string out;
    const auto lines = text::split(text, '\n');
    for (std::size_t i = 0; i < lines.size(); ++i) {
        out += std::to_string(code);
        out += i + 1 < lines.size() ? '-' : ' ';
        if (!enhanced.empty()) {
            out += enhanced;
            out += ' ';
        }
        // RFC 5321, 4.2: replies are ASCII; UTF-8 only where the client said that it can read it (RFC 6531, 3.7.4).
        out += text::is_ascii(lines[i]) ? std::string(lines[i]) : text::ascii_only(lines[i]);
        out += "\r\n";
    }
    return out;
}

}  // namespace gk::smtp
