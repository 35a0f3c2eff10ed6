// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/record.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/text.hpp"
#include "common/mailauth/dkim/tags.hpp"

namespace gk::mailauth::dmarc {
namespace {

constexpr std::size_t kMaxTags = 100;
constexpr std::size_t kMaxUris = 20;
constexpr std::size_t kMaxProblems = 20;

class Parser {
public:
    Record parse(std::string_view txt);

private:
    void tag(std::string_view name, std::string_view value);
    void policy(std::string_view name, std::string_view value, std::optional<Policy>& into);
    void alignment(std::string_view name, std::string_view value, bool& strict, std::string& said);
    void addresses(std::string_view name, std::string_view value, std::vector<ReportUri>& into);
    void failures(std::string_view value);
    void percentage(std::string_view value);
    void problem(std::string text) {
        if (record_.problems.size() < kMaxProblems) record_.problems.push_back(std::move(text));
    }
    void remark(std::string text) {
        if (record_.remarks.size() < kMaxProblems) record_.remarks.push_back(std::move(text));
    }
    void not_one_of(std::string_view name, std::string_view value, std::string_view choices) {
        problem(fmt::format("{}={} is none of {}", name, text::printable(value, 40), choices));
    }

    Record record_;
    bool wrong_policy_ = false;
};

void Parser::policy(std::string_view name, std::string_view value, std::optional<Policy>& into) {
    for (const auto each : {Policy::None, Policy::Quarantine, Policy::Reject}) {
        if (!text::equals_nocase(value, policy_name(each))) continue;
        into = each;
        return;
    }
    wrong_policy_ = true;
    not_one_of(name, value, "none, quarantine, reject");
}

void Parser::alignment(std::string_view name, std::string_view value, bool& strict, std::string& said) {
    strict = text::equals_nocase(value, "s");
    if (strict || text::equals_nocase(value, "r")) said = text::lower(value);
    else not_one_of(name, value, "r, s");
}

void Parser::addresses(std::string_view name, std::string_view value, std::vector<ReportUri>& into) {
    for (const auto part : text::split(value, ',')) {
        if (into.size() == kMaxUris) return problem(fmt::format("{} names more than {} addresses", name, kMaxUris));
        auto uri = parse_report_uri(part);
        if (!uri) {
            problem(fmt::format("{}: {}", name, uri.error().text));
            continue;
        }
        if (uri->most_octets)
            remark(fmt::format("{}: the size limit of '{}' is not in use any more (RFC 9989)", name,
                               text::printable(uri->uri, 100)));
        if (!uri->is_mail()) problem(fmt::format("{}: reports go to mailto: only, not to {}:", name, uri->scheme));
        into.push_back(std::move(*uri));
    }
}

// RFC 9989 knows "0", "1", "d", "s" and both of the latter; RFC 7489 any list of them.
void Parser::failures(std::string_view value) {
    FailureOptions options{.all = false};
    bool known = false;
    for (const auto& part : colon_list(value)) {
        bool* option = text::equals_nocase(part, "0")   ? &options.all
                       : text::equals_nocase(part, "1") ? &options.any
                       : text::equals_nocase(part, "d") ? &options.dkim
                       : text::equals_nocase(part, "s") ? &options.spf
                                                        : nullptr;
        if (!option) {
            not_one_of("fo", part, "0, 1, d, s");
            continue;
        }
        *option = known = true;
    }
    if (!known) return;
    record_.failures = options;
    record_.fo = text::lower(without_white_space(value));
}

void Parser::percentage(std::string_view value) {
    const auto number = text::to_uint(value);
    if (!number || *number > 100) return problem(fmt::format("pct={} is no percentage", text::printable(value, 40)));
    record_.pct = static_cast<unsigned>(*number);
    remark("pct is not in use any more (RFC 9989): t=y asks for one step less than p says");
}

void Parser::tag(std::string_view name, std::string_view value) {
    if (name == "p") return policy(name, value, record_.p);
    if (name == "sp") return policy(name, value, record_.sp);
    if (name == "np") return policy(name, value, record_.np);
    if (name == "adkim") return alignment(name, value, record_.strict_dkim, record_.adkim);
    if (name == "aspf") return alignment(name, value, record_.strict_spf, record_.aspf);
    if (name == "rua") return addresses(name, value, record_.rua);
    if (name == "ruf") return addresses(name, value, record_.ruf);
    if (name == "fo") return failures(value);
    if (name == "pct") return percentage(value);
    if (name == "t") {
        if (text::equals_nocase(value, "y")) record_.testing = true;
        else if (text::equals_nocase(value, "n")) record_.testing = false;
        else not_one_of(name, value, "y, n");
    } else if (name == "psd") {
        if (text::equals_nocase(value, "y")) record_.psd = Psd::Yes;
        else if (text::equals_nocase(value, "n")) record_.psd = Psd::No;
        else if (text::equals_nocase(value, "u")) record_.psd = Psd::Unsaid;
        else not_one_of(name, value, "y, n, u");
    } else if (name == "ri") {
        record_.ri_s = text::to_uint(value);
        remark("ri is not in use any more (RFC 9989): reports come once a day");
    } else if (name == "rf") {
        record_.rf = text::printable(value, 40);
        remark("rf is not in use any more (RFC 9989)");
    } else {
        problem(fmt::format("{} is no tag of DMARC", name));
    }
}

Record Parser::parse(std::string_view txt) {
    record_.text = txt;
    std::vector<std::string> seen;
    std::size_t number = 0;
    for (const auto part : text::split(txt, ';')) {
        if (number++ == 0) continue;  // v=
        const auto spec = text::trim(part);
        if (spec.empty()) continue;
        if (number > kMaxTags) {
            problem(fmt::format("more than {} tags", kMaxTags));
            break;
        }
        const auto equals = spec.find('=');
        const std::string name = text::lower(text::trim(spec.substr(0, equals)));
        const bool named = !name.empty() && std::all_of(name.begin(), name.end(), text::is_alpha);
        if (equals == std::string_view::npos || !named) {
            problem(fmt::format("'{}' is not a tag", text::printable(spec, 40)));
            continue;
        }
        const auto value = text::trim(spec.substr(equals + 1));
        if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
            problem(fmt::format("{} stands there twice: the first one counts", text::printable(name, 40)));
            continue;
        }
        seen.push_back(name);
        if (std::any_of(value.begin(), value.end(), [](char c) { return c < 0x20 || c > 0x7e; }) || value.empty()) {
            wrong_policy_ |= name == "p" || name == "sp" || name == "np";
            problem(fmt::format("the value of {} is empty or not printable ASCII", text::printable(name, 40)));
            continue;
        }
        tag(name, value);
    }
    if (!record_.p && !wrong_policy_) problem("p is missing");
    record_.policy_is_usable = record_.p && !wrong_policy_;
    if (!record_.policy_is_usable)
        problem(record_.rua.empty() ? "the policy is not usable, and no reports are asked for: the record does nothing"
                                    : "the policy is not usable: the record counts as p=none");
    return std::move(record_);
}

}  // namespace

std::string_view policy_name(Policy policy) noexcept {
    switch (policy) {
        case Policy::None: return "none";
        case Policy::Quarantine: return "quarantine";
        case Policy::Reject: return "reject";
    }
    return "none";
}

bool is_record(std::string_view txt) noexcept {
    const auto version = txt.substr(0, txt.find(';'));
    const auto equals = version.find('=');
    if (equals == std::string_view::npos || version.empty() || text::to_lower(version[0]) != 'v') return false;
    const auto blank = [](std::string_view s) { return s.find_first_not_of(" \t") == std::string_view::npos; };
    if (!blank(version.substr(1, equals - 1))) return false;
    const auto value = version.substr(equals + 1);
    const auto begin = std::min(value.find_first_not_of(" \t"), value.size());
    return value.substr(begin).starts_with("DMARC1") && blank(value.substr(begin + 6));
}

Record parse_record(std::string_view txt) { return Parser().parse(txt); }

}  // namespace gk::mailauth::dmarc
