// SPDX-License-Identifier: MIT
// links: message
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/base/text.hpp"
#include "common/message/preview.hpp"

// A preview is one line of UTF-8, and never longer than it may be.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view file(reinterpret_cast<const char*>(data), size);
    const std::string words = gk::message::preview(file, gk::message::scan(file));
    std::size_t characters = 0;
    for (const char c : words) {
        if (static_cast<unsigned char>(c) < ' ') std::abort();
        characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }
    if (!gk::text::is_utf8(words) || characters > gk::message::kMaxPreview) std::abort();
    return 0;
}
