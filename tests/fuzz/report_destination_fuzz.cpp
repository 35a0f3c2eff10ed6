// SPDX-License-Identifier: MIT
// links: reports
#include "common/reports/destinations.hpp"

#include <cstdint>
#include <cstdlib>

using namespace gk;

// No address for reports brings a line end or a second recipient into a message.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    (void)reports::parse_tls_record(input);
    for (const auto& destination : reports::parse_rua(input)) {
        for (const char c : destination.address)
            if (c <= ' ' || c == '<' || c == '>' || static_cast<unsigned char>(c) >= 0x7F) std::abort();
        if (destination.scheme == reports::Destination::Scheme::Mailto &&
            (destination.address.find(',') != std::string::npos || destination.address.find('@') == std::string::npos))
            std::abort();
    }
    return 0;
}
