// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/dnscheck/ours.hpp"

namespace gk::dnscheck {

// From DER, leaf first; BadInput where the leaf cannot be read.
Result<Certificate> read_certificates(std::vector<std::string> der, std::string origin);

// Whether it names HOST, wildcards included (RFC 6125, 6.4.3).
bool names_host(const Certificate& certificate, std::string_view host);

}  // namespace gk::dnscheck
