// SPDX-License-Identifier: MIT
// links: queue
#include <cstdlib>

#include "common/queue/routes.hpp"
#include "common/queue/spool_file.hpp"
#include "common/queue/state.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::queue;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    (void)parse_head(bytes.substr(0, kHeadLength));
    (void)parse_route(bytes);
    const auto outcomes = parse_outcomes(bytes);
    for (const auto& outcome : outcomes)
        if (parse_outcomes(format_outcome(outcome)).size() != 1) std::abort();
    if (const auto envelope = parse_envelope(bytes)) {
        const auto again = parse_envelope(format_envelope(*envelope));
        if (!again || again->recipients.size() != envelope->recipients.size() ||
            again->reverse_path != envelope->reverse_path)
            std::abort();
        auto state = MessageState::of(*envelope, outcomes);
        (void)state.summary();
    }
    return 0;
}
