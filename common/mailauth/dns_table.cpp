// SPDX-License-Identifier: MIT
#include "common/mailauth/dns_table.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::mailauth {
namespace {

constexpr int kMaxAliases = 8;  // in a row; a loop ends nowhere

std::string key_name(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    return text::lower(name);
}

// The next word of REST, which moves past it and the blanks behind it.
std::string_view take_word(std::string_view& rest) {
    const auto end = std::min(rest.find_first_of(" \t"), rest.size());
    const auto word = rest.substr(0, end);
    rest = text::trim(rest.substr(end));
    return word;
}

Result<std::string> unquote(std::string_view text) {
    if (!text.starts_with('"')) return std::string(text);
    std::string out;
    std::size_t i = 0;
    while (i < text.size()) {
        if (text[i] != '"')
            return fail(Errc::BadInput, "a quoted string must be followed by another one or by nothing");
        for (++i; i < text.size() && text[i] != '"'; ++i) {
            if (text[i] != '\\' || i + 1 == text.size()) {
                out += text[i];
                continue;
            }
            if (text[++i] != 'x') {
                out += text[i];
                continue;
            }
            const auto byte = text::from_hex(text.substr(std::min(i + 1, text.size()), 2));
            if (!byte || byte->size() != 1) return fail(Errc::BadInput, "\\x needs two hexadecimal digits");
            out += *byte;
            i += 2;
        }
        if (i >= text.size()) return fail(Errc::BadInput, "a quoted string does not end");
        ++i;
        while (i < text.size() && (text[i] == ' ' || text[i] == '\t')) ++i;
    }
    return out;
}

Result<dns::Mx> parse_mx_value(std::string_view value) {
    const auto preference = text::to_uint(take_word(value));
    if (!preference || *preference > 65535) return fail(Errc::BadInput, "an MX record is a preference and a name");
    const auto host = value.find(' ') == std::string_view::npos ? key_name(value) : std::string();
    return dns::Mx{static_cast<std::uint16_t>(*preference), host};
}

}  // namespace

Result<DnsTable> DnsTable::parse(std::string_view text) {
    DnsTable table;
    std::size_t number = 0;
    for (const auto line : text::split(text, '\n')) {
        ++number;
        if (const auto status = table.add_line(line); !status)
            return fail(status.error().in(fmt::format("line {}", number)));
    }
    return table;
}

Status DnsTable::add_line(std::string_view line) {
    line = text::trim(line);
    if (line.empty() || line.starts_with('#')) return ok();
    const auto name = take_word(line);
    const auto type = text::upper(take_word(line));
    if (type == "TEMPFAIL" && line.empty()) {
        add_failure(name, "*");
        return ok();
    }
    if ((type == "SECURE" || type == "BOGUS") && line.empty()) {
        (type == "SECURE" ? secure_ : bogus_).insert(key_name(name));
        return ok();
    }
    if (!dns::type_named(type))
        return fail(Errc::BadInput, fmt::format("'{}' is no record type such as TXT, A, AAAA, MX, PTR, CNAME",
                                                text::printable(type, 40)));
    if (line == "TEMPFAIL") {
        add_failure(name, type);
        return ok();
    }
    GK_TRY(std::string value, unquote(line));
    if (type == "MX") GK_CHECK(parse_mx_value(value).map([](const dns::Mx&) {}));
    add(name, type, std::move(value));
    return ok();
}

void DnsTable::add_name(std::string_view name) {
    const std::string key = key_name(name);
    for (std::string_view rest = key; names_.emplace(rest).second;) {
        const auto dot = rest.find('.');
        if (dot == std::string_view::npos) break;
        rest.remove_prefix(dot + 1);
    }
}

// Addresses stand for their reverse names.
void DnsTable::add(std::string_view name, std::string_view type, std::string value) {
    std::string key = key_name(name);
    if (type == "PTR")
        if (auto reverse = dns::reverse_name(key)) key = std::move(*reverse);
    add_name(key);
    records_[{key, std::string(type)}].push_back(std::move(value));
}

void DnsTable::add_failure(std::string_view name, std::string_view type) {
    add_name(name);
    failures_.emplace(key_name(name), std::string(type));
}

bool DnsTable::is_marked(std::string_view name, const std::set<std::string>& zones) noexcept {
    return std::any_of(zones.begin(), zones.end(), [&](const std::string& zone) { return is_at_or_below(name, zone); });
}

std::string DnsTable::canonical(std::string_view name) const {
    std::string key = key_name(name);
    for (int i = 0; i < kMaxAliases; ++i) {
        const auto alias = records_.find({key, "CNAME"});
        if (alias == records_.end()) break;
        key = key_name(alias->second.front());
    }
    return key;
}

Lookup<std::string> DnsTable::at(const std::string& key, const std::string& type) const {
    Lookup<std::string> lookup;
    lookup.secure = is_marked(key, secure_);
    if (const auto found = records_.find({key, type}); found != records_.end()) {
        lookup.outcome = Outcome::Found;
        lookup.records = found->second;
    } else if (failures_.contains({key, type}) || failures_.contains({key, "*"})) {
        lookup.outcome = Outcome::TempError;
        lookup.error = fmt::format("no answer for {}", text::printable(key, 80));
    } else {
        lookup.no_domain = !names_.contains(key);
    }
    return lookup;
}

Lookup<std::string> DnsTable::find(std::string_view name, std::string_view type) const {
    return at(canonical(name), std::string(type));
}

Lookup<std::string> DnsTable::find_alias(std::string_view name) const { return at(key_name(name), "CNAME"); }

Lookup<dns::Mx> DnsTable::mx(std::string_view name) {
    const auto raw = find(name, "MX");
    Lookup<dns::Mx> lookup{raw.outcome, {}, raw.error, raw.secure, raw.no_domain};
    for (const auto& value : raw.records)
        if (auto mx = parse_mx_value(value)) lookup.records.push_back(std::move(*mx));
    std::stable_sort(lookup.records.begin(), lookup.records.end(),
                     [](const dns::Mx& x, const dns::Mx& y) { return x.preference < y.preference; });
    return lookup;
}

// Listed by the address itself or by its reverse name.
Lookup<std::string> DnsTable::ptr(std::string_view ip) {
    const auto name = dns::reverse_name(ip);
    auto lookup = name ? find(*name, "PTR") : find(ip, "PTR");
    return lookup.outcome == Outcome::Void ? find(ip, "PTR") : lookup;
}

}  // namespace gk::mailauth
