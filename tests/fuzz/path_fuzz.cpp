// SPDX-License-Identifier: MIT
// links: address
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/address/path.hpp"

// A path that was read is written back as a path that reads the same; canonical forms are stable.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::address;
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    for (const bool utf8 : {false, true}) {
        const Rules rules{.utf8 = utf8, .null = true, .bare_postmaster = true};
        std::string_view rest = in;
        const auto path = parse_path(rest, rules);
        if (!path) {
            if (rest.size() != in.size()) std::abort();
            continue;
        }
        if (path->address.local_part.size() > max_local_part(path->address.local_part) ||
            path->address.domain.size() > kMaxDomain)
            std::abort();
        const std::string text = path->text();
        std::string_view again = text;
        const auto back = parse_path(again, rules);
        if (!back || *back != *path || !again.empty()) std::abort();
        if (path->null) continue;
        const std::string canonical_text = canonical(path->address);
        const auto canonical_address = parse_address(canonical_text);
        // Labels may grow past their bounds as A-labels, and letters as they fold; what still parses is stable.
        if (canonical_address && canonical(*canonical_address) != canonical_text) std::abort();
        to_u_labels(path->address.domain);
    }
    return 0;
}
