// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/dnscheck/finding.hpp"
#include "common/dnscheck/lookups.hpp"
#include "common/dnscheck/ours.hpp"

// Judges what DNS says about a mail domain against what is ours. Reads DNS by LOOKUPS alone, changes nothing; each
// finding's changes are applied to LOOKUPS, so call check_host first.
namespace gk::dnscheck {

enum class Mail { Expected, None };  // None: the domain neither sends nor receives, and should say so

// Our host: its name and addresses both ways, certificate, TLSA, CAA.
void check_host(const Ours& ours, Lookups& dns, Report& report);
// DOMAIN in A-labels, lower case.
void check_domain(const std::string& domain, Mail mail, const Ours& ours, Lookups& dns, Report& report);

// The zone that NAME lies in, by its SOA; empty where none is found.
std::string find_zone(std::string_view name, Lookups& dns);

}  // namespace gk::dnscheck
