// SPDX-License-Identifier: MIT
// links: message
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/base/text.hpp"
#include "common/message/header.hpp"

// Header text: fields cover the block, and what is shown to people is UTF-8 on one line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::message;
    const std::string_view block(reinterpret_cast<const char*>(data), size);
    FieldReader reader(block);
    std::size_t covered = 0;
    for (Field field; reader.next(field);) {
        covered += field.whole.size();
        const std::string shown = decode_text(field.value);
        if (!gk::text::is_utf8(shown) || shown.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
            std::abort();
        const Structured structured = parse_structured(field.value);
        for (const char* name : {"filename", "name", "charset", "boundary"}) {
            const auto value = find_parameter(structured.parameters, name);
            if (value && !gk::text::is_utf8(*value)) std::abort();
        }
    }
    if (covered > header_length(block)) std::abort();
    if (decode_words(encode_words("x" + std::string(gk::text::is_utf8(block) ? block : ""))).empty()) std::abort();
    parse_envelope(block);
    without_comments(block);
    return 0;
}
