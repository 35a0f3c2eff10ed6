// SPDX-License-Identifier: MIT
// links: message
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/message/date.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto date = gk::message::parse_date({reinterpret_cast<const char*>(data), size});
    if (!date) return 0;
    if (date->year < 1 || date->year > 9999 || date->month < 1 || date->month > 12 || date->day < 1 || date->day > 31)
        std::abort();
    if (date->hour < 0 || date->hour > 24 || date->minute < 0 || date->minute > 59 || date->second < 0 ||
        date->second > 60)
        std::abort();
    if (gk::to_unix_s(date->utc()) / 86400 - date->day_number() > 6 ||
        date->day_number() - gk::to_unix_s(date->utc()) / 86400 > 6)
        std::abort();
    return 0;
}
