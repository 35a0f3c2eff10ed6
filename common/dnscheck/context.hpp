// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>

#include "common/dnscheck/check.hpp"

// For the checks themselves, one file each.
namespace gk::dnscheck {

// What a check works with. SUBJECT is the domain, or our host.
struct Context {
    const std::string& subject;
    const Ours& ours;  // host is empty where it is no public name
    Lookups& dns;
    Report& report;

    // Adds a finding and applies its changes.
    void found(std::string_view id, std::string name, std::string is, std::string should,
               std::vector<Change> changes = {}) const;
    // The answer; null, and noted as unknown, where there is none.
    const Answer* ask(std::string_view name, dns::Type type) const;
    void unknown(std::string_view name, std::string_view error) const;
    bool has_address(std::string_view name) const;  // true too where it cannot be told
    void bogus(std::string_view name, std::string_view error) const;
};

Change add(std::string_view name, dns::Type type, std::string data);
Change remove(std::string_view name, dns::Type type, std::string data);
// All of FROM at NAME but TO go, and TO comes where it is not there.
std::vector<Change> replace(std::string_view name, dns::Type type, const std::vector<std::string>& from,
                            const std::string& to);
dns::Type address_type(std::string_view ip) noexcept;
// Untrusted text in a sentence.
std::string shown(std::string_view text);
std::string listed(const std::vector<std::string>& texts);  // "a, b and 3 more"
// A full name that the Internet could know: what HELO, MX and certificates need.
bool is_public_name(std::string_view host);
// A zone whose parent vouches for its keys, validated here or not.
bool is_signed(const Context& context, std::string_view name);
// Where reports about DOMAIN go, as a URI.
std::string report_uri(const Context& context);

void check_dnssec(const Context& context);
void check_mx(const Context& context);
void check_spf(const Context& context);
void check_dkim(const Context& context);
void check_dmarc(const Context& context);
void check_mta_sts(const Context& context);
void check_tls_rpt(const Context& context);
void check_services(const Context& context);
void check_autoconfig(const Context& context);
void check_no_mail(const Context& context);
void check_caa(const Context& context);
void check_tlsa(const Context& context);
void check_certificate(const Context& context);

}  // namespace gk::dnscheck
