// SPDX-License-Identifier: MIT
// links: tlspolicy
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/tlspolicy/sts_policy.hpp"

// One TXT record a line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    std::vector<std::string> records;
    for (const auto line : text::split(bytes, '\n')) records.emplace_back(line);
    const auto id = tlspolicy::parse_sts_record(records);
    if (!id) return 0;
    if (id->empty() || id->size() > 32) std::abort();
    if (tlspolicy::parse_sts_record({tlspolicy::format_sts_record(*id)}).value_or("") != *id) std::abort();
    return 0;
}
