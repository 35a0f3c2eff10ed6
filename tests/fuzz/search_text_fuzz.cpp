// SPDX-License-Identifier: MIT
// links: search
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/base/text.hpp"
#include "common/message/html_text.hpp"
#include "common/message/structure.hpp"
#include "common/search/text.hpp"
#include "common/search/tokens.hpp"

// Any bytes are some message: its text is UTF-8 within its limits, and its words are bounded and lie within it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::search;
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    const TextLimits limits{.message = 2000, .part = 1000};
    const Text text = read_text(in, gk::message::scan(in), limits);
    if (text.body.size() > limits.message) std::abort();
    for (const auto* column :
         {&text.subject, &text.from, &text.to, &text.cc, &text.bcc, &text.other, &text.names, &text.body}) {
        if (!gk::text::is_utf8(*column)) std::abort();
        tokenize(*column, TokenUse::Indexing, [&](const Token& token) {
            const bool within = token.begin < token.end && token.end <= column->size();
            if (token.text.empty() || token.text.size() > kTokenBytes || !within) std::abort();
            if (!gk::text::is_utf8(token.text)) std::abort();
            return true;
        });
    }
    if (gk::text::is_utf8(in)) {
        const auto html = gk::message::html_to_text(in, 500);
        if (html.size() > 500 || !gk::text::is_utf8(html)) std::abort();
    }
    return 0;
}
