// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/message/structure.hpp"

// What of a message can be found: its text in columns.
namespace gk::search {

struct TextLimits {
    std::size_t message = 1u << 20;  // bytes of text of one message
    std::size_t part = 512u << 10;   // and of one of its parts
    bool only_headers = false;       // no bodies
};

// All in UTF-8, decoded. The order is that of the columns in the index.
struct Text {
    std::string subject;
    std::string from;  // From, Sender, Reply-To
    std::string to;
    std::string cc;
    std::string bcc;
    std::string other;  // Message-ID, List-Id, Organization, Keywords, Comments
    std::string names;  // of attachments
    std::string body;   // text of all parts, with subjects and addresses of the messages enclosed
    std::size_t attachments = 0;
    bool cut = false;  // a limit was reached
};
constexpr std::size_t kTextColumns = 8;

// FILE is the whole message and STRUCTURE what was found in it. HTML is reduced to what a reader sees; where plain text
// and HTML are offered as alternatives, HTML only where it says much more. Never fails; bounded by LIMITS.
Text read_text(std::string_view file, const message::Structure& structure, const TextLimits& limits = {});

}  // namespace gk::search
