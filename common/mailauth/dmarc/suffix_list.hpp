// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

struct psl_ctx_st;

namespace gk::mailauth::dmarc {

// The list of names below which anybody may register (publicsuffix.org), by libpsl. Asking is safe from many threads.
class SuffixList {
public:
    // FILE as text or compiled (.dafsa); empty: the system's, or where there is none what libpsl brings along.
    static Result<SuffixList> load(const std::string& file);
    static Result<SuffixList> parse(std::string_view text);  // for tests

    // NAMES are A-labels in lower case without a final dot. A top level domain that is not listed is a suffix.
    bool is_suffix(const std::string& name) const noexcept;
    // The suffix and one label more: the Organizational Domain of RFC 7489, 3.2; empty for a suffix itself.
    std::string registered_domain(const std::string& name) const;

private:
    struct Free {
        void operator()(psl_ctx_st* list) const noexcept;
    };
    explicit SuffixList(psl_ctx_st* list) noexcept : list_(list) {}
    std::unique_ptr<psl_ctx_st, Free> list_;
};

}  // namespace gk::mailauth::dmarc
