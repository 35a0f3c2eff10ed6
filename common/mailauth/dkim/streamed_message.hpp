// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "common/mailauth/dkim/body_hashes.hpp"
#include "common/mailauth/dkim/header_fields.hpp"

namespace gk::mailauth {

// A message that streams by once: its header is kept, up to a limit, and its body hashed in the ways that its
// signatures ask for. Several checkers may share one.
class StreamedMessage {
public:
    // AT_BODY is called once, when the header is whole: it adds to the hashes what it will ask for. Not called where
    // the header is too large.
    using AtBody = std::function<void(const HeaderFields& fields, BodyHashes& bodies)>;
    StreamedMessage(std::size_t most_header_octets, AtBody at_body)
        : splitter_(most_header_octets), at_body_(std::move(at_body)) {}
    StreamedMessage(const StreamedMessage&) = delete;
    StreamedMessage& operator=(const StreamedMessage&) = delete;

    void feed(std::string_view bytes);
    void finish();  // before the results are asked for

    bool too_large() const noexcept { return splitter_.too_large(); }
    const std::string& header() const noexcept { return splitter_.header(); }
    // After finish(); views into header(). Empty where the header was too large.
    const HeaderFields& fields() const noexcept { return *fields_; }
    const BodyHashes& bodies() const noexcept { return bodies_; }

private:
    void begin_body();

    MessageSplitter splitter_;
    AtBody at_body_;
    std::optional<HeaderFields> fields_;
    BodyHashes bodies_;
};

}  // namespace gk::mailauth
