// SPDX-License-Identifier: MIT
#include "common/mailauth/spf/tree.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"
#include "common/mailauth/spf/macro.hpp"
#include "common/mailauth/spf/record.hpp"

namespace gk::mailauth::spf {
namespace {

constexpr std::size_t kMaxLines = 500;  // a hostile tree of includes is cut here
constexpr std::size_t kMaxShown = 8;    // addresses of one term

class Walk {
public:
    Walk(DnsSource& dns, const Limits& limits) : dns_(dns), limits_(limits) {}

    void record(const std::string& domain, unsigned depth);
    Tree tree;

private:
    void directive(const std::string& domain, const Directive& directive, unsigned depth);
    void descend(std::string_view what, const std::string& domain, const std::string& target, unsigned depth);
    std::string addresses(const std::string& name);
    std::string mail_exchangers(const std::string& name);
    std::string nothing();
    std::string temporary(const std::string& error);
    Tree::Line& add(unsigned depth, const std::string& domain, std::string_view term);
    void problem(const std::string& domain, std::string_view what);

    DnsSource& dns_;
    const Limits& limits_;
    std::vector<std::string> path_;  // domains from the top to here: who stands in it twice is a loop
};

void Walk::problem(const std::string& domain, std::string_view what) {
    tree.problems.push_back(fmt::format("{}: {}", text::printable(domain, 100), what));
}

Tree::Line& Walk::add(unsigned depth, const std::string& domain, std::string_view term) {
    return tree.lines.emplace_back(
        Tree::Line{depth, text::printable(domain, 255), text::printable(term), tree.lookups, {}});
}

std::string Walk::nothing() {
    ++tree.void_lookups;
    return "found nothing";
}

std::string Walk::temporary(const std::string& error) {
    tree.temporary = true;
    return error;
}

std::string Walk::addresses(const std::string& name) {
    std::vector<std::string> ips;
    for (const auto& lookup : {dns_.a(name), dns_.aaaa(name)}) {
        if (lookup.outcome == Outcome::TempError) return temporary(lookup.error);
        ips.insert(ips.end(), lookup.records.begin(), lookup.records.end());
    }
    if (ips.size() > kMaxShown) {
        const std::size_t more = ips.size() - kMaxShown;
        ips.resize(kMaxShown);
        ips.push_back(fmt::format("and {} more", more));
    }
    return text::join(ips, " ");
}

std::string Walk::mail_exchangers(const std::string& name) {
    const auto lookup = dns_.mx(name);
    if (lookup.outcome == Outcome::TempError) return temporary(lookup.error);
    if (!lookup.found()) return nothing();
    if (lookup.records.size() > limits_.mx_hosts)
        problem(name, fmt::format("has {} MX records, more than {}", lookup.records.size(), limits_.mx_hosts));
    std::vector<std::string> hosts;
    for (const auto& mx : lookup.records) {
        if (hosts.size() >= limits_.mx_hosts) break;
        hosts.push_back(
            fmt::format("{} [{}]", text::printable(mx.host, 100), fits_dns(mx.host) ? addresses(mx.host) : ""));
    }
    return text::join(hosts, ", ");
}

void Walk::descend(std::string_view what, const std::string& domain, const std::string& target, unsigned depth) {
    if (std::find(path_.begin(), path_.end(), text::lower(target)) != path_.end()) {
        tree.lines.back().note = "a loop";
        problem(domain, fmt::format("{} of {} leads back to it", what, text::printable(target, 100)));
        return;
    }
    record(target, depth);
}

void Walk::directive(const std::string& domain, const Directive& directive, unsigned depth) {
    if (directive.asks_dns()) ++tree.lookups;
    auto& line = add(depth, domain, directive.text);
    if (!directive.asks_dns()) return;
    if (has_macros(directive.domain)) {
        line.note = "depends on the message";
        return;
    }
    std::string target = directive.domain.empty() ? domain : directive.domain;
    if (target.ends_with('.')) target.pop_back();
    if (!fits_dns(target)) {
        line.note = "not a domain name: matches nothing";
        return;
    }
    switch (directive.mechanism) {
        case Mechanism::Include: return descend("include", domain, target, depth + 1);
        case Mechanism::A:
            line.note = addresses(target);
            if (line.note.empty()) line.note = nothing();
            return;
        case Mechanism::Mx: line.note = mail_exchangers(target); return;
        case Mechanism::Exists:
            line.note = addresses(target);
            if (line.note.empty()) line.note = nothing();
            return;
        default: line.note = "slow, and not to be used any more (RFC 7208, 5.5)"; return;
    }
}

void Walk::record(const std::string& domain, unsigned depth) {
    if (tree.lines.size() >= kMaxLines) return;
    const auto txt = dns_.txt(domain);
    std::vector<std::string_view> records;
    for (const auto& each : txt.records)
        if (is_record(each)) records.push_back(each);
    if (txt.outcome == Outcome::TempError) {
        add(depth, domain, "").note = temporary(txt.error);
        return;
    }
    if (records.empty()) {
        add(depth, domain, "").note = "no SPF record";
        if (path_.empty()) tree.none = true;
        else problem(domain, "has no SPF record");
        return;
    }
    if (records.size() > 1) problem(domain, fmt::format("has {} SPF records", records.size()));
    const auto record = parse_record(records[0]);
    if (!record) {
        add(depth, domain, records[0]).note = record.error().text;
        return problem(domain, record.error().text);
    }
    path_.push_back(text::lower(domain));
    for (const auto& each : record->directives) {
        if (tree.lines.size() >= kMaxLines) break;
        directive(domain, each, depth);
    }
    if (record->redirect && !record->has_all) {
        ++tree.lookups;
        auto& line = add(depth, domain, "redirect=" + *record->redirect);
        if (has_macros(*record->redirect)) line.note = "depends on the message";
        else descend("redirect", domain, *record->redirect, depth + 1);
    } else if (record->redirect) {
        add(depth, domain, "redirect=" + *record->redirect).note = "does nothing beside all";
    }
    if (record->exp) add(depth, domain, "exp=" + *record->exp);
    path_.pop_back();
}

}  // namespace

Tree show(std::string_view domain, DnsSource& dns, const Limits& limits) {
    Walk walk(dns, limits);
    const std::string name = dns_domain(domain);
    if (name.empty()) {
        walk.tree.problems.push_back(
            fmt::format("'{}' is not a domain name of two labels or more", text::printable(domain, 100)));
        return std::move(walk.tree);
    }
    walk.record(name, 0);
    Tree& tree = walk.tree;
    if (tree.lookups > limits.lookups)
        tree.problems.push_back(fmt::format("{} terms ask DNS, {} are permitted", tree.lookups, limits.lookups));
    if (tree.void_lookups > limits.void_lookups)
        tree.problems.push_back(
            fmt::format("{} terms find nothing in DNS, {} are permitted", tree.void_lookups, limits.void_lookups));
    if (tree.lines.size() >= kMaxLines)
        tree.problems.push_back(fmt::format("more than {} terms: not all are shown", kMaxLines));
    return std::move(walk.tree);
}

}  // namespace gk::mailauth::spf
