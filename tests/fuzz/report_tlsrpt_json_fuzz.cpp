// SPDX-License-Identifier: MIT
// links: reports
#include "common/reports/tls_json.hpp"

#include <cstdint>
#include <cstdlib>

using namespace gk;

// What was read is written as JSON that is read as the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto report = reports::parse_tls_report(input, {});
    if (!report) return 0;
    const auto again = reports::parse_tls_report(reports::format_tls_report(*report), {});
    // Times past what RFC 3339 can say have no second form.
    if (again && !(*again == *report)) std::abort();
    return 0;
}
