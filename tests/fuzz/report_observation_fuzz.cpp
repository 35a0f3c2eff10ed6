// SPDX-License-Identifier: MIT
// links: reports_log
#include "common/reports_log/observations.hpp"

#include <cstdint>
#include <cstdlib>

// What a line says is written again as the same line's meaning.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    if (const auto dmarc = gk::reports::parse_dmarc(line)) {
        const auto written = gk::reports::format(*dmarc);
        if (written && (written->size() > gk::reports::kLineLimit || !gk::reports::parse_dmarc(*written))) std::abort();
    }
    if (const auto tls = gk::reports::parse_tls(line)) {
        const auto written = gk::reports::format(*tls);
        if (written && (written->size() > gk::reports::kLineLimit || !gk::reports::parse_tls(*written))) std::abort();
    }
    return 0;
}
