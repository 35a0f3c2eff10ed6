// SPDX-License-Identifier: MIT
// links: dkim_client
#include <cstdint>
#include <string>
#include <string_view>

#include "common/dkim_client/wire.hpp"

// What parses must survive a round trip.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace gk::dkim_client;
    const std::string_view line(reinterpret_cast<const char*>(bytes), size);
    if (const auto request = parse_request(line)) {
        const std::string text = format_request(*request);
        if (text.find('\n') != text.size() - 1) __builtin_trap();
        const auto again = parse_request(std::string_view(text).substr(0, text.size() - 1));
        if (!again || format_request(*again) != text) __builtin_trap();
    }
    if (const auto reply = parse_reply(line)) {
        const std::string text = format_reply(*reply);
        if (text.find('\n') != text.size() - 1) __builtin_trap();
        // Percent-encoding may make a line of hostile bytes longer than one may be.
        const auto again = parse_reply(std::string_view(text).substr(0, text.size() - 1));
        if (text.size() <= kMaxLine && (!again || format_reply(*again) != text)) __builtin_trap();
    }
    return 0;
}
