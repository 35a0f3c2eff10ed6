// SPDX-License-Identifier: MIT
// links: address
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/address/list.hpp"

// Groups begin and end in pairs, and nothing is listed that has no text at all.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::address;
    const std::string_view value(reinterpret_cast<const char*>(data), size);
    bool group = false;
    for (const Listed& a : parse_list(value)) {
        if (a.kind == Listed::Kind::Mailbox) {
            if (a.name.empty() && a.local_part.empty() && a.domain.empty()) std::abort();
            continue;
        }
        if (group == (a.kind == Listed::Kind::GroupBegin)) std::abort();
        group = !group;
    }
    if (group) std::abort();
    addresses_of(value);
    return 0;
}
