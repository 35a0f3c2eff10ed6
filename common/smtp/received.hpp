// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/base/time.hpp"
#include "common/smtp/session.hpp"

namespace gk::smtp {

// The Received field (RFC 5321, 4.4) with CRLF. FOR_ADDRESS: the recipient where there is one only, so that no
// blind copy is told; else empty. Clients' words are printed only where the grammar lets them through.
std::string format_received(const Session& session, const std::string& client_ip, const std::string& id,
                            const std::string& for_address, TimePoint when);

// The fields that a message submission agent adds where they are missing (RFC 6409, 8.2 and 8.3; From names the
// account), with CRLF.
std::string format_missing_fields(const Session& session, const std::string& id, TimePoint when);

}  // namespace gk::smtp
