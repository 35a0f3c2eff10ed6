// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace gk::mailauth::dmarc {

// One address of rua= or ruf= (RFC 9989, 4.6).
struct ReportUri {
    std::string text;                          // as published
    std::string uri;                           // the same without the size limit of RFC 7489
    std::string scheme;                        // lower case: "mailto"
    std::string address;                       // of mailto: decoded, "reports@a.test"; empty for other schemes
    std::string domain;                        // of that address, or the host of another URI; A-labels, lower case
    std::optional<std::uint64_t> most_octets;  // "!10m" of RFC 7489; RFC 9989 wants it passed over

    bool is_mail() const noexcept { return scheme == "mailto"; }
};

Result<ReportUri> parse_report_uri(std::string_view text);

}  // namespace gk::mailauth::dmarc
