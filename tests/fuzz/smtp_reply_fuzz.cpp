// SPDX-License-Identifier: MIT
// links: smtp_client
#include <cstdlib>

#include "common/smtp_client/reply.hpp"
#include "common/smtp_client/session.hpp"

// The first byte says where the rest is cut: replies must not depend on it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::smtp_client;
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto read = [](std::initializer_list<std::string_view> pieces) {
        ReplyParser parser;
        std::string story;
        for (auto piece : pieces)
            while (!piece.empty()) {
                const auto reply = parser.feed(piece);
                if (!reply) return story + "error";
                if (!*reply) break;
                story += (*reply)->text() + "/" + (*reply)->status() + "\n";
                (void)parse_capabilities(**reply);
            }
        return story;
    };
    const std::size_t cut = data[0] % (bytes.size() + 1);
    if (read({bytes}) != read({bytes.substr(0, cut), bytes.substr(cut)})) std::abort();
    DotStuffer whole, split;
    std::string one, two;
    whole.append(one, bytes);
    whole.finish(one);
    split.append(two, bytes.substr(0, cut));
    split.append(two, bytes.substr(cut));
    split.finish(two);
    // What ends the message must stand at its end and nowhere else.
    if (one != two || !one.ends_with(".\r\n") || one.find("\r\n.\r\n") + 5 < one.size()) std::abort();
    return 0;
}
