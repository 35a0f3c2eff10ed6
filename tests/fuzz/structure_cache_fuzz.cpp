// SPDX-License-Identifier: MIT
// links: message imap
#include <cstdint>
#include <string_view>

#include "common/imap/format/format.hpp"
#include "common/imap/format/section.hpp"

// A damaged cache is refused, or is a tree that can be rendered.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto structure = gk::message::deserialise({reinterpret_cast<const char*>(data), size});
    if (!structure) return 0;
    std::string out;
    gk::imap::append_envelope(out, structure->envelope());
    gk::imap::append_body(out, *structure, true);
    gk::imap::Section section;
    section.part = {1, 2};
    gk::imap::find_section(*structure, "A: b\n\nc", section);
    return 0;
}
