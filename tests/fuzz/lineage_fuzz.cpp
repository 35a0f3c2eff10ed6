// SPDX-License-Identifier: MIT
// links: message
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/message/lineage.hpp"

// Hostile headers: what is kept of them is bounded.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto lineage = gk::message::read_lineage(bytes);
    if (lineage.references.size() > gk::message::kMostReferences) std::abort();
    for (const std::size_t most : {std::size_t{1}, std::size_t{3}, gk::message::kMostReferences})
        if (gk::message::parse_message_ids(bytes, most).size() > most) std::abort();
    return 0;
}
