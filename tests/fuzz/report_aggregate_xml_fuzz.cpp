// SPDX-License-Identifier: MIT
// links: reports
#include "common/reports/aggregate_xml.hpp"

#include <cstdint>
#include <cstdlib>

using namespace gk;

// A report is read to the same end in pieces of any size, and what was read can be written and read again. Packed input
// is unpacked first.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const reports::ParseLimits limits{.size = 1 << 20, .ratio = 100, .records = 1000, .text = 200, .depth = 16};
    std::string xml;
    if (!reports::unpack(input, limits, [&](std::string_view piece) {
            xml += piece;
            return ok();
        }))
        return 0;
    std::string written[2];
    bool good[2] = {false, false};
    for (const int which : {0, 1}) {
        const std::size_t piece = which == 0 ? xml.size() + 1 : 3;
        reports::AggregateParser parser(limits, [&](reports::AggregateRecord record) {
            written[which] += reports::format_record(record);
            return ok();
        });
        Status fed = ok();
        for (std::size_t at = 0; fed && at < xml.size(); at += piece)
            fed = parser.feed(std::string_view(xml).substr(at, piece));
        const auto head = parser.finish();
        good[which] = fed && head;
        if (good[which]) written[which] = reports::format_begin(*head) + written[which] + reports::format_end();
    }
    if (good[0] != good[1] || (good[0] && written[0] != written[1])) std::abort();
    if (!good[0]) return 0;
    reports::AggregateParser again({}, [](reports::AggregateRecord) { return ok(); });
    // A source_ip or a domain that was all control characters is empty when written.
    (void)again.feed(written[0]);
    const auto head = again.finish();
    if (!head && head.error().text.find("not well-formed") != std::string::npos) std::abort();
    return 0;
}
