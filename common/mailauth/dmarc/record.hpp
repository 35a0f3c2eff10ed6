// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dmarc/report_uri.hpp"

// DMARC policy records (RFC 9989, 4.7 and 4.8), with what RFC 7489 and 9091 knew.
namespace gk::mailauth::dmarc {

// What a domain asks for mail that fails, and what is done; in order of severity.
enum class Policy { None, Quarantine, Reject };
std::string_view policy_name(Policy policy) noexcept;

enum class Psd { Yes, No, Unsaid };  // Unsaid: psd=u

// fo=: which failures are to be reported one by one.
struct FailureOptions {
    bool all = true;   // "0": no mechanism gave an aligned pass
    bool any = false;  // "1": one of them did not
    bool dkim = false, spf = false;
};

struct Record {
    std::optional<Policy> p, sp, np;
    bool policy_is_usable = true;                  // false: p is missing or wrong, or sp or np is wrong (4.10.1)
    bool strict_dkim = false, strict_spf = false;  // adkim=s, aspf=s
    std::string adkim, aspf, fo;                   // as published, where valid; empty: not said
    std::optional<Psd> psd;                        // absent: not said
    std::optional<bool> testing;                   // t=; absent: not said
    std::vector<ReportUri> rua, ruf;               // the valid ones; any scheme
    FailureOptions failures;
    // Of RFC 7489, dropped by 9989.
    std::optional<unsigned> pct;        // 0 to 100
    std::optional<std::uint64_t> ri_s;  // wished interval between reports
    std::optional<std::string> rf;      // format of failure reports
    std::string text;                   // as published
    std::vector<std::string> problems;  // what is wrong, for the domain's owner; untrusted bytes escaped
    std::vector<std::string> remarks;   // what is out of use, and harmless

    // Where the policy is not usable, a record that asks for reports counts as p=none, any other one applies to
    // nothing (4.10.1).
    bool applies() const noexcept { return policy_is_usable || !rua.empty(); }
    // For the domain itself, an existing name below, and one that does not exist.
    Policy for_domain() const noexcept { return policy_is_usable ? p.value_or(Policy::None) : Policy::None; }
    Policy for_subdomain() const noexcept { return policy_is_usable ? sp.value_or(for_domain()) : Policy::None; }
    Policy for_nonexistent() const noexcept { return policy_is_usable ? np.value_or(for_subdomain()) : Policy::None; }
    // None of the tags that came after RFC 7489: nobody can tell that its author knew the tree walk.
    bool of_old_form() const noexcept { return !psd && !testing && !np; }
};

// True where TXT begins with v=DMARC1: everything else at _dmarc is not for us.
bool is_record(std::string_view txt) noexcept;
// Of a text that is_record. Never fails: a tag that is wrong is left out, named in problems, and its default counts.
// Tags past the 100th, and addresses past the 20th of a list, are not read.
Record parse_record(std::string_view txt);

}  // namespace gk::mailauth::dmarc
