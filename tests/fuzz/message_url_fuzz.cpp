// SPDX-License-Identifier: MIT
// links: imap
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/base/text.hpp"
#include "common/imap/grammar/message_url.hpp"

// What a URL names is a message, in a mailbox whose name is text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto url = gk::imap::parse_message_url({reinterpret_cast<const char*>(data), size});
    if (!url) return 0;
    if (url->uid == 0 || !gk::text::is_utf8(url->mailbox)) std::abort();
    if (url->mailbox.find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos) std::abort();
    if (url->partial && url->partial->length == 0) std::abort();
    return 0;
}
