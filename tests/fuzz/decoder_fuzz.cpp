// SPDX-License-Identifier: MIT
// links: message
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/message/decoder.hpp"

// Any split of the input decodes to the same bytes, never more than went in; our own encoding is undone.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::message;
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    for (const Encoding encoding : {Encoding::Base64, Encoding::QuotedPrintable, Encoding::UuEncode}) {
        const std::string whole = decode(in, encoding);
        if (whole.size() > size) std::abort();
        std::string split;
        Decoder decoder(encoding);
        for (std::size_t at = 0, n = 1; at < size; at += n, n = n % 5 + 1) decoder.feed(in.substr(at, n), split);
        decoder.finish(split);
        if (split != whole) std::abort();
    }
    if (in.find('\n') == std::string_view::npos && decode(encode_quoted_printable(in), Encoding::QuotedPrintable) != in)
        std::abort();
    return 0;
}
