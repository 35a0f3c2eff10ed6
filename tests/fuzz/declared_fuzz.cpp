// SPDX-License-Identifier: MIT
// links: accounts
#include <cstdint>
#include <string_view>

#include "common/accounts/accounts.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    (void)gk::accounts::parse_declared({reinterpret_cast<const char*>(bytes), size});
    (void)gk::directory::canonical_address({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
