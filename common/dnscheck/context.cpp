// SPDX-License-Identifier: MIT
#include "common/dnscheck/context.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"
#include "common/mailauth/ip.hpp"

namespace gk::dnscheck {
namespace {

constexpr std::size_t kMaxShown = 300;   // bytes of a record in a sentence
constexpr std::size_t kMaxListed = 5;    // records in a sentence
constexpr std::size_t kMaxChanges = 64;  // of one finding: a hostile zone is not rewritten record by record

}  // namespace

void Context::found(std::string_view id, std::string name, std::string is, std::string should,
                    std::vector<Change> changes) const {
    for (const auto& each : report.findings)
        if (each.kind->id == id && each.name == name) return;  // our host may be one of the domains
    if (changes.size() > kMaxChanges) changes.clear();
    for (const auto& change : changes) dns.apply(change);
    report.findings.push_back(
        {find_kind(id), subject, std::move(name), std::move(is), std::move(should), std::move(changes)});
}

void Context::unknown(std::string_view name, std::string_view error) const {
    for (const auto& each : report.unknown)
        if (each.name == name && each.error == error) return;
    report.unknown.push_back({subject, std::string(name), text::printable(error, kMaxShown)});
}

const Answer* Context::ask(std::string_view name, dns::Type type) const {
    const Answer& answer = dns.ask(name, type);
    if (answer.bogus) bogus(name, answer.error);
    if (!answer.failed()) return &answer;
    if (!answer.bogus) unknown(fmt::format("{} {}", name, dns::type_name(type)), answer.error);
    return nullptr;
}

// Once: all of a zone goes wrong together, and the DS record may be named as the cause already.
void Context::bogus(std::string_view name, std::string_view error) const {
    for (const auto& each : report.findings)
        if (each.kind->id.starts_with("dnssec-") && each.kind->severity == Severity::Error) return;
    found("dnssec-bogus", std::string(name), shown(error), "signatures that validate: sign the zone anew");
}

bool Context::has_address(std::string_view name) const {
    const Answer* v4 = ask(name, dns::Type::A);
    if (v4 == nullptr || v4->found()) return true;
    const Answer* v6 = ask(name, dns::Type::Aaaa);
    return v6 == nullptr || v6->found();
}

Change add(std::string_view name, dns::Type type, std::string data) {
    return {Change::Op::Add, {std::string(name), type, std::move(data)}};
}

Change remove(std::string_view name, dns::Type type, std::string data) {
    return {Change::Op::Delete, {std::string(name), type, std::move(data)}};
}

std::vector<Change> replace(std::string_view name, dns::Type type, const std::vector<std::string>& from,
                            const std::string& to) {
    std::vector<Change> changes;
    for (const auto& data : from)
        if (data != to) changes.push_back(remove(name, type, data));
    if (std::find(from.begin(), from.end(), to) == from.end()) changes.push_back(add(name, type, to));
    return changes;
}

dns::Type address_type(std::string_view ip) noexcept {
    return ip.find(':') == std::string_view::npos ? dns::Type::A : dns::Type::Aaaa;
}

std::string shown(std::string_view text) { return text::printable(text, kMaxShown); }

std::string listed(const std::vector<std::string>& texts) {
    std::string out;
    for (std::size_t i = 0; i < texts.size() && i < kMaxListed; ++i) out += (i > 0 ? ", " : "") + shown(texts[i]);
    if (texts.size() > kMaxListed) out += fmt::format(" and {} more", texts.size() - kMaxListed);
    return out;
}

std::string report_uri(const Context& context) {
    return "mailto:" + (context.ours.rua.empty() ? "postmaster@" + context.subject : context.ours.rua);
}

std::string find_zone(std::string_view name, Lookups& dns) {
    std::string zone = without_dot(name);
    for (int i = 0; i < 40 && !zone.empty(); ++i) {
        const Answer& answer = dns.ask(zone, dns::Type::Soa);
        if (answer.found() && answer.canonical == zone) return zone;
        const auto dot = zone.find('.');
        zone = dot == std::string::npos ? std::string() : zone.substr(dot + 1);
    }
    return {};
}

bool is_public_name(std::string_view host) {
    if (!mailauth::fits_dns(host) || host.find('.') == std::string_view::npos || mailauth::Ip::parse(host))
        return false;
    for (const std::string_view suffix :
         {"localhost", "localdomain", "local", "invalid", "internal", "lan", "home.arpa"})
        if (mailauth::is_at_or_below(host, suffix)) return false;
    for (const auto label : text::split(host, '.')) {
        if (label.starts_with('-') || label.ends_with('-')) return false;
        for (const char c : label)
            if (!text::is_alpha(c) && !text::is_digit(c) && c != '-') return false;
    }
    const auto top = host.substr(host.rfind('.') + 1);
    return !std::all_of(top.begin(), top.end(), text::is_digit);
}

void check_domain(const std::string& domain, Mail mail, const Ours& ours, Lookups& dns, Report& report) {
    const Context context{domain, ours, dns, report};
    check_dnssec(context);
    if (mail == Mail::None) return check_no_mail(context);
    check_mx(context);
    check_spf(context);
    check_dkim(context);
    check_dmarc(context);
    check_mta_sts(context);
    check_tls_rpt(context);
    check_services(context);
    check_autoconfig(context);
}

}  // namespace gk::dnscheck
