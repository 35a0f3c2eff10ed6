// SPDX-License-Identifier: MIT
#pragma once

#include "common/message/header.hpp"

// What single fields mean for the structure; inside message/ only.
namespace gk::message {

void add_to_envelope(Envelope& envelope, const Field& field, const Limits& limits);
// The Content-* fields (RFC 2045, 2183, 3282, 2557, 1864).
void add_to_part(Part& part, const Field& field, const Limits& limits);

}  // namespace gk::message
