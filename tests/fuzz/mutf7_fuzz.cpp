// SPDX-License-Identifier: MIT
// links: charset
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/charset/charset.hpp"
#include "common/charset/mutf7.hpp"

// The two directions are inverses on what they accept.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::charset;
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    if (const auto name = from_mutf7(in); name && to_mutf7(*name) != in) std::abort();
    if (from_mutf7(to_mutf7(in)) != valid_utf8(in)) std::abort();
    return 0;
}
