// SPDX-License-Identifier: MIT
// links: config
#include <cstdint>
#include <string_view>

#include "common/config/config.hpp"
#include "common/config/document.hpp"

// What is accepted must stay so when a setting is changed in it, and then say what was set.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace gk::config;
    const std::string_view toml(reinterpret_cast<const char*>(bytes), size);
    if (!Config::parse(toml)) return 0;
    const auto changed = with_setting(toml, "smtp.max_size", "12MB");
    if (!changed) return 0;  // an inline table or a dotted section, which is left to its owner
    const auto config = Config::parse(*changed);
    if (!config || config->size("smtp.max_size") != 12u << 20) __builtin_trap();
    return 0;
}
