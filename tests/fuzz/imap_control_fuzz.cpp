// SPDX-License-Identifier: MIT
// links: imap
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/imap/control.hpp"
#include "common/imap/handover.hpp"

using namespace gk;

// What one program of ours reads of another, which may have been taken over: what is read is what is written.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    if (const auto control = imap::parse_control(line)) {
        const std::string again = imap::format_control(*control);
        const auto read = imap::parse_control(std::string_view(again).substr(0, again.size() - 1));
        if (!read || imap::format_control(*read) != again || again.find('\n') != again.size() - 1) std::abort();
    }
    if (const auto handover = imap::parse_handover(line)) {
        const std::string again = imap::format_handover(*handover);
        const auto read = imap::parse_handover(std::string_view(again).substr(0, again.size() - 1));
        if (!read || imap::format_handover(*read) != again || again.find('\n') != again.size() - 1) std::abort();
    }
    return 0;
}
