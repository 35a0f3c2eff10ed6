// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/dnscheck/ours.hpp"

namespace gk::dnscheck {

// From DER, leaf first; BadInput where the leaf cannot be read.
Result<Certificate> read_chain(std::vector<std::string> der, std::string origin);
// From a PEM text with the leaf first.
Result<Certificate> read_pem(std::string_view pem, std::string origin);

// Whether it names HOST, wildcards included (RFC 6125, 6.4.3).
bool names_host(const Certificate& certificate, std::string_view host);
// TLSA data of the chain's certificate AT (RFC 6698, 2.1): selector 0 or 1, matching 0, 1 or 2; empty for others.
std::string tlsa_octets(const Certificate& certificate, std::size_t at, unsigned selector, unsigned matching);

}  // namespace gk::dnscheck
