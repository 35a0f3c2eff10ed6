// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/streamed_message.hpp"

namespace gk::mailauth {

void StreamedMessage::begin_body() {
    fields_.emplace(splitter_.header());
    at_body_(*fields_, bodies_);
}

void StreamedMessage::feed(std::string_view bytes) {
    const bool before = splitter_.in_body();
    const auto body = splitter_.feed(bytes);
    if (!before && splitter_.in_body()) begin_body();
    if (!body.empty()) bodies_.feed(body);
}

void StreamedMessage::finish() {
    // A message may end with its header (RFC 5322, 3.5).
    if (splitter_.too_large()) fields_.emplace(std::string_view());
    else if (!splitter_.in_body()) begin_body();
    bodies_.finish();
}

}  // namespace gk::mailauth
