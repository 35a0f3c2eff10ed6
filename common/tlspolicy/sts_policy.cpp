// SPDX-License-Identifier: MIT
#include "common/tlspolicy/sts_policy.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <optional>

#include "common/base/text.hpp"

namespace gk::tlspolicy {
namespace {

constexpr std::string_view kModes[] = {"none", "testing", "enforce"};
// More hosts than any domain has; the text itself is bounded already.
constexpr std::size_t kMostPatterns = 1000;

std::string_view trim_blanks(std::string_view s) noexcept {
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
    return s;
}

// sts-ext-name, sts-policy-ext-name = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
bool is_field_name(std::string_view s) noexcept {
    if (s.empty() || s.size() > 32 || !(text::is_alpha(s[0]) || text::is_digit(s[0]))) return false;
    return std::all_of(s.begin(), s.end(), [](char c) {
        return text::is_alpha(c) || text::is_digit(c) || c == '_' || c == '-' || c == '.';
    });
}

bool is_id(std::string_view s) noexcept {
    return !s.empty() && s.size() <= 32 &&
           std::all_of(s.begin(), s.end(), [](char c) { return text::is_alpha(c) || text::is_digit(c); });
}

// The characters of an extension's value in the TXT record: printable, but no blank, '=' or ';'.
bool is_record_value(std::string_view s) noexcept {
    return !s.empty() &&
           std::all_of(s.begin(), s.end(), [](char c) { return c > ' ' && c < 0x7f && c != '=' && c != ';'; });
}

// sts-policy-mx-value = ["*."] Domain, with A-labels.
bool is_pattern(std::string_view s) noexcept {
    if (s.starts_with("*.")) s.remove_prefix(2);
    if (s.empty() || s.size() > 253) return false;
    for (const auto label : text::split(s, '.')) {
        if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
        for (const char c : label)
            if (!text::is_alpha(c) && !text::is_digit(c) && c != '-' && c != '_') return false;
    }
    return true;
}

}  // namespace

Result<std::string> parse_sts_record(const std::vector<std::string>& records) {
    const std::string* only = nullptr;
    for (const auto& record : records) {
        const auto version = trim_blanks(std::string_view(record).substr(0, record.find(';')));
        if (version != "v=STSv1" || record.find(';') == std::string::npos) continue;
        if (only) return fail(Errc::BadInput, "there are several MTA-STS records");
        only = &record;
    }
    if (!only) return fail(Errc::NotFound, "there is no MTA-STS record");
    std::string id;
    auto fields = text::split(*only, ';');
    for (std::size_t i = 1; i < fields.size(); ++i) {
        const auto field = trim_blanks(fields[i]);
        if (field.empty() && i + 1 == fields.size() && i > 1) break;
        const auto equals = field.find('=');
        const auto name = field.substr(0, equals);
        const auto value = equals == std::string_view::npos ? std::string_view() : field.substr(equals + 1);
        if (!is_field_name(name) || !is_record_value(value))
            return fail(Errc::BadInput,
                        fmt::format("the MTA-STS record has a malformed field '{}'", text::printable(field, 60)));
        if (name != "id") continue;
        if (!id.empty()) return fail(Errc::BadInput, "the MTA-STS record has two ids");
        if (!is_id(value)) return fail(Errc::BadInput, "the MTA-STS record's id is not 1 to 32 letters and digits");
        id = value;
    }
    if (id.empty()) return fail(Errc::BadInput, "the MTA-STS record has no id");
    return id;
}

std::string format_sts_record(std::string_view id) { return fmt::format("v=STSv1; id={};", id); }

std::string_view sts_mode_name(StsMode mode) noexcept { return kModes[static_cast<int>(mode)]; }

Result<StsPolicy> parse_sts_policy(std::string_view text) {
    if (text.size() > kMostPolicyBytes)
        return fail(Errc::BadInput, fmt::format("the policy has more than {} bytes", kMostPolicyBytes));
    StsPolicy policy;
    bool has_version = false;
    std::optional<StsMode> mode;
    std::optional<std::int64_t> max_age;
    std::size_t number = 0;
    while (!text.empty()) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        ++number;
        if (line.ends_with('\r')) line.remove_suffix(1);
        line = trim_blanks(line);
        // RFC 8461 has no empty lines, but editors make one at the end.
        if (line.empty() && trim_blanks(text).empty()) break;
        const auto bad = [&](std::string_view what) {
            return fail(Errc::BadInput,
                        fmt::format("line {} of the policy {}: '{}'", number, what, text::printable(line, 60)));
        };
        const auto colon = line.find(':');
        const auto name = line.substr(0, colon);
        if (colon == std::string_view::npos || !is_field_name(name)) return bad("is not \"key: value\"");
        const auto value = trim_blanks(line.substr(colon + 1));
        // RFC 8461, 3.2: of a key given twice the first counts; only mx may come again.
        if (name == "version") {
            if (!has_version && value != "STSv1") return bad("has a version other than STSv1");
            has_version = true;
        } else if (name == "mode") {
            if (mode) continue;
            for (int i = 0; i < 3; ++i)
                if (value == kModes[i]) mode = static_cast<StsMode>(i);
            if (!mode) return bad("has a mode other than enforce, testing and none");
        } else if (name == "max_age") {
            if (max_age) continue;
            const auto seconds = value.size() <= 10 ? text::to_uint(value) : std::nullopt;
            if (!seconds) return bad("has a max_age that is no number of up to 10 digits");
            max_age = std::min<std::int64_t>(static_cast<std::int64_t>(*seconds), kMostMaxAge_s);
        } else if (name == "mx") {
            if (!is_pattern(value)) return bad("has an mx that is no host name");
            if (policy.mx.size() >= kMostPatterns) return bad("has too many mx");
            policy.mx.push_back(text::lower(value));
        }
    }
    if (!has_version) return fail(Errc::BadInput, "the policy has no version");
    if (!mode) return fail(Errc::BadInput, "the policy has no mode");
    if (!max_age) return fail(Errc::BadInput, "the policy has no max_age");
    if (policy.mx.empty() && *mode != StsMode::None) return fail(Errc::BadInput, "the policy has no mx");
    policy.mode = *mode;
    policy.max_age_s = *max_age;
    return policy;
}

std::string format_sts_policy(const StsPolicy& policy) {
    std::string out = fmt::format("version: STSv1\r\nmode: {}\r\n", sts_mode_name(policy.mode));
    for (const auto& mx : policy.mx) out += fmt::format("mx: {}\r\n", mx);
    return out + fmt::format("max_age: {}\r\n", policy.max_age_s);
}

bool is_mx_allowed(const StsPolicy& policy, std::string_view host) noexcept {
    if (host.ends_with('.')) host.remove_suffix(1);
    for (const std::string_view pattern : policy.mx) {
        if (!pattern.starts_with("*.")) {
            if (text::equals_nocase(pattern, host)) return true;
            continue;
        }
        const auto dot = host.find('.');
        if (dot != std::string_view::npos && dot > 0 && text::equals_nocase(pattern.substr(1), host.substr(dot)))
            return true;
    }
    return false;
}

}  // namespace gk::tlspolicy
