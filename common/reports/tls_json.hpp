// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "common/reports/model.hpp"

namespace gk::reports {

// The JSON of RFC 8460, 4.4.
std::string format_tls_report(const TlsReport& report);
// Reads it, and what reporters make of it: a text where a list is meant, counts that are missing. BadInput: not JSON,
// not a report, past LIMITS (of whose size JSON may have a quarter, since it is held in memory).
Result<TlsReport> parse_tls_report(std::string_view json, const ParseLimits& limits);

}  // namespace gk::reports
