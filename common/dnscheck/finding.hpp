// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/dnscheck/records.hpp"

namespace gk::dnscheck {

enum class Severity {
    Advice,   // could be better; nothing is wrong
    Warning,  // some receivers or clients hold it against the domain
    Error,    // mail is lost, refused or unprotected
};
std::string_view severity_name(Severity severity) noexcept;  // "advice", "warning", "error"

// A kind of finding. Ids never change their meaning; the page gk-dns-check(1) lists them all.
struct Kind {
    std::string_view id;
    Severity severity;
    std::string_view meaning;  // for the list of all kinds
    std::string_view why;      // one sentence on why it matters
};
const std::vector<Kind>& kinds();
const Kind* find_kind(std::string_view id) noexcept;

struct Finding {
    const Kind* kind = nullptr;
    std::string domain;  // what was checked: a domain, or our host
    std::string name;    // where it is wrong: a name in DNS, or one of our addresses
    std::string is, should;
    // What mends it in DNS; empty where no record can. Untrusted text of DNS is in Delete changes as it came.
    std::vector<Change> changes;
};

// Something that was to be checked and could not be.
struct Unknown {
    std::string domain, name, error;
};

struct Report {
    std::vector<Finding> findings;
    std::vector<Unknown> unknown;

    bool any(Severity at_least) const noexcept;
    bool has(std::string_view id) const noexcept;
    // Of all findings, each once: deletions before additions.
    std::vector<Change> changes() const;
};

}  // namespace gk::dnscheck
