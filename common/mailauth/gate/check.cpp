// SPDX-License-Identifier: MIT
#include "common/mailauth/gate/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <system_error>

#include "common/mailauth/domain.hpp"
#include "common/reports_log/observations.hpp"

namespace gk::mailauth::gate {
namespace {

// Keys of a message that are asked for ahead; the rest is asked for in its turn.
constexpr std::size_t kMostAhead = 12;

dkim::Limits dkim_limits() { return {}; }

// At, above or below one of the authors: such a signature may decide, and whoever forges mail has no hand in its zone.
bool is_of_author(std::string_view key_name, const std::vector<std::string>& authors) {
    constexpr std::string_view kInfix = "._domainkey.";
    const auto at = key_name.rfind(kInfix);
    if (at == std::string_view::npos) return false;
    const auto domain = key_name.substr(at + kInfix.size());
    return std::any_of(authors.begin(), authors.end(), [&](const std::string& author) {
        return is_at_or_below(domain, author) || is_at_or_below(author, domain);
    });
}

spf::Facts spf_facts(const Facts& facts) {
    spf::Facts out;
    out.ip = facts.ip;
    out.helo = facts.helo;
    out.mail_from = facts.mail_from;
    out.receiver = facts.receiver;
    out.now_s = facts.now_s;
    return out;
}

}  // namespace

Check::Check(const Options& options, Facts facts, DnsSource& dns, const std::optional<ClientFindings>& known)
    : options_(options),
      facts_(std::move(facts)),
      dns_(dns, options.lookups),
      dkim_(facts_.now_s, dkim_limits()),
      arc_(facts_.now_s),
      message_(dkim_limits().header_octets,
               [this](const HeaderFields& fields, BodyHashes& bodies) { at_body(fields, bodies); }) {
    if (known) findings_.client = *known;
    dns_.set_deadline(std::chrono::steady_clock::now() + options_.time);
    run(client_, [this, is_known = known.has_value()] { check_client(is_known); });
}

Check::~Check() {
    if (client_.joinable()) client_.join();
    if (ahead_.joinable()) ahead_.join();
}

// Threads save waiting, nothing more: where there are none left the work is done here. What they throw is thrown again
// by finish().
void Check::run(std::thread& thread, std::function<void()> work) {
    try {
        thread = std::thread([this, work] {
            try {
                work();
            } catch (const std::exception&) {
                failed_ = true;
            }
        });
    } catch (const std::system_error&) {
        work();
    }
}

// What may decide first: a slow reverse zone, or a HELO name that costs much, does not use up what MAIL FROM needs.
void Check::check_client(bool is_known) {
    const auto facts = spf_facts(facts_);
    spf::Limits limits;
    limits.time = options_.time;
    auto& client = findings_.client;
    if (!facts_.mail_from.empty()) findings_.mail_from = spf::check_mail_from(facts, dns_, limits);
    if (client.of_helo != facts_.helo) {
        client.helo = spf::check_helo(facts, dns_, limits);
        client.of_helo = facts_.helo;
    }
    if (facts_.mail_from.empty()) findings_.mail_from = client.helo;
    if (!is_known) client.iprev = check_iprev(facts_.ip, dns_);
}

void Check::at_body(const HeaderFields& fields, BodyHashes& bodies) {
    dkim_.begin(fields, bodies);
    arc_.begin(fields, bodies);
    authors_ = dmarc::find_authors(message_.header());
    findings_.is_report = reports::is_report(message_.header());
    // Whoever lets us wait for his header does not use up the time for what it asks of DNS.
    dns_.set_deadline(std::chrono::steady_clock::now() + options_.time);
    auto keys = dkim_.key_names();
    const auto others = std::stable_partition(
        keys.begin(), keys.end(), [this](const std::string& name) { return is_of_author(name, authors_.domains); });
    dns_.exempt({keys.begin(), others});
    for (auto& name : arc_.key_names()) keys.push_back(std::move(name));
    auto authors = authors_.domains;
    if (authors.size() > options_.dmarc().authors) authors.clear();
    if (keys.empty() && authors.empty()) return;
    run(ahead_, [this, keys = std::move(keys), authors = std::move(authors)]() mutable {
        ask_ahead(std::move(keys), std::move(authors));
    });
}

// Only to have the answers there when they are asked for.
void Check::ask_ahead(std::vector<std::string> keys, std::vector<std::string> authors) {
    if (keys.size() > kMostAhead) keys.resize(kMostAhead);
    for (const auto& domain : authors) (void)dns_.txt("_dmarc." + domain);
    for (const auto& name : keys) (void)dns_.txt(name);
}

Findings Check::finish() {
    // The body may have taken longer than DNS is given: from here on somebody waits.
    const auto begun = std::chrono::steady_clock::now();
    dns_.set_deadline(begun + options_.time);
    message_.finish();
    findings_.header_too_large = message_.too_large();
    findings_.dkim = dkim_.finish(message_, dns_);
    findings_.arc = arc_.finish(message_, dns_);
    if (client_.joinable()) client_.join();
    if (ahead_.joinable()) ahead_.join();
    if (failed_) throw std::runtime_error("a check of the message broke off");

    auto& facts = findings_.dmarc_facts;
    if (message_.too_large()) {
        authors_ = dmarc::find_authors(message_.header());
        authors_.whole = false;
    }
    facts.authors = authors_;
    facts.spf = dmarc::spf_fact(findings_.mail_from);
    facts.dkim = dmarc::dkim_facts(findings_.dkim);
    facts.ip = facts_.ip.without_mapping();
    facts.client_name = findings_.client.iprev.name;
    facts.sample = facts_.sample;
    for (const auto& domain : authors_.domains) {
        if (findings_.trusted) break;
        findings_.trusted = arc::trusted_pass(findings_.arc, options_.trusted_sealers, domain);
    }
    // Of several authors each would need a word of its own: nobody honest asks for that.
    if (authors_.domains.size() > 1 || authors_.fields > 1) findings_.trusted.reset();
    if (findings_.trusted) {
        const auto& link = findings_.arc.links[findings_.trusted->instance - 1];
        facts.trusted_arc = fmt::format("arc=pass as[{}].d={} as[{}].s={}", findings_.trusted->instance, link.domain,
                                        findings_.trusted->instance, link.selector);
    }
    // Whoever makes SPF and DKIM costly or slow does not keep us from the policy of the domain that he names.
    const auto& limits = options_.dmarc();
    dns_.grant(static_cast<unsigned>(limits.authors * (limits.queries + 1)));
    dns_.set_deadline(begun + options_.time + options_.time / 3);
    findings_.dmarc = dmarc::evaluate(facts, dns_, options_.dmarc());
    findings_.lookups = dns_.lookups();
    return std::move(findings_);
}

}  // namespace gk::mailauth::gate
