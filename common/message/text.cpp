// SPDX-License-Identifier: MIT
#include "common/message/text.hpp"

#include <algorithm>

#include "common/charset/charset.hpp"
#include "common/message/decoder.hpp"

namespace gk::message {

namespace {
constexpr std::size_t kChunk = 64 * 1024;
}

void read_content(std::string_view file, const Part& part, const std::function<bool(std::string_view)>& sink) {
    const std::uint64_t end = std::min<std::uint64_t>(part.body_end, file.size());
    std::uint64_t at = std::min<std::uint64_t>(part.body_begin, end);
    const Encoding encoding = encoding_named(part.encoding);
    Decoder decoder(encoding);
    std::string out;
    while (at < end) {
        const std::string_view bytes = file.substr(at, std::min<std::uint64_t>(kChunk, end - at));
        at += bytes.size();
        if (encoding == Encoding::Identity) {
            if (!sink(bytes)) return;
            continue;
        }
        out.clear();
        decoder.feed(bytes, out);
        if (!out.empty() && !sink(out)) return;
    }
    out.clear();
    decoder.finish(out);
    if (!out.empty()) sink(out);
}

void read_text(std::string_view file, const Part& part, const std::function<bool(std::string_view)>& sink) {
    charset::Decoder decoder(raw_parameter(part.parameters, "charset"));
    std::string out;
    bool stopped = false;
    read_content(file, part, [&](std::string_view bytes) {
        out.clear();
        decoder.feed(bytes, out);
        if (!out.empty() && !sink(out)) stopped = true;
        return !stopped;
    });
    if (stopped) return;
    out.clear();
    decoder.finish(out);
    if (!out.empty()) sink(out);
}

}  // namespace gk::message
