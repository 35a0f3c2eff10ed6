// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <vector>

#include "common/mailauth/spf/check.hpp"
#include "common/mailauth/spf/macro.hpp"
#include "common/mailauth/spf/record.hpp"

namespace gk::mailauth::spf {

// One run of check_host() (RFC 7208, 4), its include and redirect with it; for check.cpp alone. Single use.
class Evaluation {
public:
    Evaluation(const Ip& ip, std::string_view local_part, std::string_view sender_domain, const Facts& facts,
               DnsSource& dns, const Limits& limits);

    Verdict check_host(const std::string& domain);
    // The text of exp= of the record that failed last; empty where there is none or anything about it is wrong (6.2).
    std::string explain();

    std::string reason;
    unsigned lookups = 0, void_lookups = 0;

private:
    enum class Match { No, Yes, TempError, PermError };

    Verdict evaluate(const std::string& domain, bool included);
    Verdict follow_redirect(const std::string& domain, const Record& record, bool included);
    Match matches(const std::string& domain, const Directive& directive);
    Match include(const std::string& domain, const std::string& target);
    Match address(const Directive& directive, const std::string& target);
    Match mail_exchangers(const std::string& domain, const Directive& directive, const std::string& target);
    Match exists(const std::string& domain, const Directive& directive, const std::string& target);
    Match reverse(const std::string& target);

    // Does one of NAME's addresses lie in the directive's prefix? FOUND: whether it has any.
    Match has_address(const std::string& name, const Directive& directive, bool& found);
    const std::vector<std::string>& validated_names();      // 5.5, first asked for when needed
    std::string validated_name(const std::string& domain);  // %{p}
    MacroFacts macros(const std::string& domain);
    Match count_void();
    bool out_of_time();
    Match temporary(const std::string& error);
    Verdict permanent(const std::string& domain, std::string_view what);

    const Ip ip_;
    const std::string local_part_, sender_domain_;
    const Facts& facts_;
    DnsSource& dns_;
    const Limits& limits_;
    const std::chrono::steady_clock::time_point deadline_;
    const bool ascii_local_part_;
    std::string helo_;
    std::optional<std::vector<std::string>> names_;
    bool no_reverse_name_ = false;  // asked, and not counted as void yet
    std::string exp_, exp_domain_;  // of the record that decided
};

}  // namespace gk::mailauth::spf
