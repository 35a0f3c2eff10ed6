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
        out += lines[i];
        out += "\r\n";
    }
    return out;
}

}  // namespace gk::smtp
