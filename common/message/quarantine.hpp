// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace gk::message {

// gk-smtpd puts this field in front of a message that is to go to Junk, and takes it out of everything that arrives; so
// gk-deliver may believe it in what comes from gk-smtpd.
constexpr std::string_view kQuarantineField = "X-GK-Quarantine";

// Whether it stands above the first Received field.
bool is_quarantined(std::string_view message) noexcept;

}  // namespace gk::message
