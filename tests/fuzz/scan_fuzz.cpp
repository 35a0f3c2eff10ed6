// SPDX-License-Identifier: MIT
// links: message
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/message/structure.hpp"
#include "common/message/text.hpp"

// The scanner's promises: a tree whose ranges lie in the file and in one another, whose octets add up, and which
// survives its cache.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::message;
    const std::string_view file(reinterpret_cast<const char*>(data), size);
    for (const LineEnds ends : {LineEnds::Convert, LineEnds::AsStored}) {
        const Structure s = scan(file, ends, {.depth = 20, .parts = 200, .header_block = 4096, .header_line = 1024});
        if (s.parts.empty() || s.root().body_end != size || s.root().header_begin != 0) std::abort();
        for (std::uint32_t i = 0; i < s.parts.size(); ++i) {
            const Part& p = s.parts[i];
            if (p.body_begin < p.header_begin || p.body_end < p.body_begin || p.body_end > size) std::abort();
            if (p.body_octets < p.body_end - p.body_begin || p.body_octets > 2 * (p.body_end - p.body_begin))
                std::abort();
            if (i > 0 && (p.header_begin < s.parts[p.parent].body_begin || p.body_end > s.parts[p.parent].body_end))
                std::abort();
            if (p.kind == Part::Kind::Leaf) read_text(file, p, [](std::string_view) { return true; });
            file_name(p);
            part_number(s, i);
        }
        const std::string bytes = serialise(s);
        const auto back = deserialise(bytes);
        if (!back || serialise(*back) != bytes) std::abort();
    }
    return 0;
}
