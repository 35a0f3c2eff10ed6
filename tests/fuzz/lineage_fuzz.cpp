// SPDX-License-Identifier: MIT
// links: message
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/base/text.hpp"
#include "common/message/base_subject.hpp"
#include "common/message/lineage.hpp"

// Message ids and subjects of hostile headers: bounded, and the same again from what was made of them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto lineage = gk::message::read_lineage(bytes);
    if (lineage.references.size() > gk::message::kMostReferences) std::abort();
    for (const std::size_t most : {std::size_t{1}, std::size_t{3}, gk::message::kMostReferences})
        if (gk::message::parse_message_ids(bytes, most).size() > most) std::abort();
    const auto base = gk::message::base_subject(bytes);
    if (base.text.size() > 16 * size + 64 || !gk::text::is_utf8(base.text)) std::abort();
    if (base.text.starts_with(' ') || base.text.ends_with(' ')) std::abort();
    return 0;
}
