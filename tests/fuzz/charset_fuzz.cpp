// SPDX-License-Identifier: MIT
// links: charset
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"

// The first line names the charset; the rest is text in it. What comes out is UTF-8, whole or split.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::charset;
    std::string_view in(reinterpret_cast<const char*>(data), size);
    const std::size_t line = in.find('\n');
    if (line == std::string_view::npos) return 0;
    const std::string_view name = in.substr(0, line);
    in.remove_prefix(line + 1);
    const std::string whole = to_utf8(in, name);
    if (!gk::text::is_utf8(whole)) std::abort();
    if (!gk::text::is_utf8(to_utf8(in, name, 5)) || !gk::text::is_utf8(fold_case(whole))) std::abort();
    std::string split;
    Decoder decoder(name);
    for (; !in.empty(); in.remove_prefix(std::min<std::size_t>(in.size(), 3))) decoder.feed(in.substr(0, 3), split);
    decoder.finish(split);
    if (!gk::text::is_utf8(split)) std::abort();
    return 0;
}
