// SPDX-License-Identifier: MIT
// links: net
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/net/network.hpp"
#include "common/net/proxy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const auto header = gk::net::parse_proxy_v2({reinterpret_cast<const char*>(bytes), size});
    if (!header || !*header) return 0;
    if ((*header)->size > size || (*header)->size > gk::net::kProxyMaxSize) std::abort();
    if (!(*header)->local && !gk::net::parse_ip((*header)->source.ip)) std::abort();
    return 0;
}
