// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"
#include "common/mailauth/spf/evaluation.hpp"

// The mechanisms that look at addresses and names: a, mx, exists, ptr (RFC 7208, 5.3 to 5.5 and 5.7).
namespace gk::mailauth::spf {

Evaluation::Match Evaluation::has_address(const std::string& name, const Directive& directive, bool& found) {
    const auto lookup = ip_.v6 ? dns_.aaaa(name) : dns_.a(name);
    if (lookup.outcome == Outcome::TempError) return temporary(lookup.error);
    found |= lookup.found();
    const unsigned prefix = ip_.v6 ? directive.prefix6 : directive.prefix4;
    for (const auto& record : lookup.records)
        if (const auto address = Ip::parse(record); address && ip_.in(*address, prefix)) return Match::Yes;
    return Match::No;
}

Evaluation::Match Evaluation::address(const Directive& directive, const std::string& target) {
    bool found = false;
    const Match match = has_address(target, directive, found);
    return match == Match::No && !found ? count_void() : match;
}

Evaluation::Match Evaluation::mail_exchangers(const std::string& domain, const Directive& directive,
                                              const std::string& target) {
    const auto lookup = dns_.mx(target);
    if (lookup.outcome == Outcome::TempError) return temporary(lookup.error);
    if (!lookup.found()) return count_void();
    // 4.6.4: more than ten names are an error, even where one of the first would match.
    if (lookup.records.size() > limits_.mx_hosts) {
        permanent(domain, fmt::format("'{}' has more than {} MX records", text::printable(directive.text, 100),
                                      limits_.mx_hosts));
        return Match::PermError;
    }
    bool found = false;
    for (const auto& mx : lookup.records) {
        if (!fits_dns(mx.host)) continue;
        if (out_of_time()) return temporary("the check took too long");
        if (const Match match = has_address(mx.host, directive, found); match != Match::No) return match;
    }
    return found ? Match::No : count_void();
}

// 5.7: an A record decides, for IPv6 clients too.
Evaluation::Match Evaluation::exists(const std::string&, const Directive&, const std::string& target) {
    const auto lookup = dns_.a(target);
    if (lookup.outcome == Outcome::TempError) return temporary(lookup.error);
    return lookup.found() ? Match::Yes : count_void();
}

Evaluation::Match Evaluation::reverse(const std::string& target) {
    for (const auto& name : validated_names())
        if (is_at_or_below(name, target)) return Match::Yes;
    return std::exchange(no_reverse_name_, false) ? count_void() : Match::No;
}

// Names of the client that lead back to it. An error of a lookup only means that the name does not count (5.5).
const std::vector<std::string>& Evaluation::validated_names() {
    if (names_) return *names_;
    names_.emplace();
    const auto lookup = dns_.ptr(ip_.text());
    no_reverse_name_ = lookup.outcome == Outcome::Void;
    Directive whole;
    std::size_t looked_at = 0;
    for (const auto& name : lookup.records) {
        if (++looked_at > limits_.ptr_names || out_of_time()) break;
        bool found = false;
        const std::string before = reason;
        if (fits_dns(name) && has_address(name, whole, found) == Match::Yes) names_->push_back(text::lower(name));
        reason = before;
    }
    return *names_;
}

// 7.3: the domain itself if it is among them, else one below it, else any.
std::string Evaluation::validated_name(const std::string& domain) {
    const std::string* best = nullptr;
    int rank = 0;
    for (const auto& name : validated_names()) {
        const int this_rank = text::equals_nocase(name, domain) ? 3 : is_at_or_below(name, domain) ? 2 : 1;
        if (this_rank <= rank) continue;
        best = &name;
        rank = this_rank;
    }
    return best ? *best : "unknown";
}

}  // namespace gk::mailauth::spf
