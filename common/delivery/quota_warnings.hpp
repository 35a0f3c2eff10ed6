// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/config/config.hpp"
#include "common/store/types.hpp"

namespace gk::delivery {

// When an account, or a domain, comes to a share of what it may keep, its owner is told once, until it falls below that
// share again. What was told is a small file beside the mail, so that a restart does not say it again.
struct QuotaWarnings {
    std::vector<unsigned> at;   // percent, rising; empty: never
    std::string template_file;  // empty: our own words
    static Result<QuotaWarnings> from(const config::Config& config);

    // The highest of AT that PERCENT has reached; 0 for none.
    unsigned level_of(unsigned percent) const noexcept;
};

// How much of QUOTA is used, the fuller of octets and messages; past 100 where it is exceeded, 0 where there is none.
unsigned percent_used(const store::Totals& used, const store::Quota& quota) noexcept;

// What FILE says was told already; 0 where it is not there.
unsigned told(const std::string& file);
Status remember_told(const std::string& file, unsigned level);  // durable

struct QuotaNotice {
    std::string to, from, about;  // ABOUT: the account or domain
    unsigned percent = 0;
    store::Totals used;
    store::Quota quota;
};
// The message, with CRLF. TEMPLATE, where not empty, is a Subject line, an empty line and a text, in which {about},
// {percent}, {used}, {limit}, {messages} and {limit_messages} stand for what they say.
std::string format_notice(const QuotaNotice& notice, std::string_view text_template, TimePoint when);

}  // namespace gk::delivery
