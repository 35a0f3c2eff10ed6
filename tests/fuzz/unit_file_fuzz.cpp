// SPDX-License-Identifier: MIT
// links: up
#include <cstdint>
#include <string>
#include <string_view>

#include "common/up/plan.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    (void)gk::up::UnitFile::parse(text, "fuzz.service");
    (void)gk::up::parse_time_span(text);
    (void)gk::up::split_command(text);
    (void)gk::up::plan_from_units({{"gk-a.service", text}, {"gk-a.socket", text}});
    return 0;
}
