// SPDX-License-Identifier: MIT
// links: message
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/base/text.hpp"
#include "common/message/transport.hpp"

namespace {

using namespace gk;

// The conversion of MESSAGE; nothing where there is none.
bool convert(std::string_view message, message::Transport transport, std::string& out) {
    const message::Limits limits{.depth = 20, .parts = 200, .header_block = 4096, .header_line = 1024};
    out.clear();
    return message::convert(
               message, transport,
               [&](std::string_view piece) -> Status {
                   out += piece;
                   return ok();
               },
               limits)
        .has_value();
}

bool has_bare_line_end(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] == '\0') return true;
        if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r')) return true;
        if (bytes[i] == '\r' && (i + 1 == bytes.size() || bytes[i + 1] != '\n')) return true;
    }
    return false;
}

}  // namespace

// What comes out is fit for the transport it was made for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view message(reinterpret_cast<const char*>(data), size);
    std::string out;
    if (convert(message, message::Transport::SevenBit, out) && (!text::is_ascii(out) || has_bare_line_end(out)))
        std::abort();
    if (convert(message, message::Transport::EightBit, out) && has_bare_line_end(out)) std::abort();
    return 0;
}
