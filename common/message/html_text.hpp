// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gk::message {

// What a reader sees of HTML, for searching and previews: tags dropped (those that part lines become line ends, cells a
// space), character references resolved, scripts, styles and comments passed over, the words of an image that stand in
// for it kept. White space is one space or one line end. Valid UTF-8 in, valid UTF-8 out, of at most LIMIT bytes (cut
// between characters). Any bytes are some HTML; time is linear in their number, and memory bounded by the output.
std::string html_to_text(std::string_view html, std::size_t limit = std::size_t(-1));

}  // namespace gk::message
