// SPDX-License-Identifier: MIT
#include "common/smtp/inbound.hpp"

#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/base/time.hpp"
#include "common/mailauth/dmarc/observe.hpp"
#include "common/mailauth/gate/results.hpp"
#include "common/reports_log/observations.hpp"

namespace gk::smtp {

using namespace mailauth;

namespace {

std::string domain_of(const std::string& address) {
    const auto at = address.rfind('@');
    return at == std::string::npos ? std::string() : address.substr(at + 1);
}

// What DNS did not answer is asked again for the next message.
bool is_settled(const gate::ClientFindings& client) noexcept {
    return client.iprev.verdict != IprevVerdict::TempError && client.helo.verdict != spf::Verdict::TempError;
}

}  // namespace

Inbound::Inbound(Places places, const std::string& client_ip)
    : places_(std::move(places)), ip_(Ip::parse(client_ip).value_or(Ip{})) {}

void Inbound::begin(const std::string& helo, const std::string& mail_from) {
    check_.reset();  // before the source that it asks
    dns_ = places_.dns();
    facts_ = {ip_, helo, mail_from, places_.hostname, to_unix_s(now()), static_cast<unsigned>(random_u64() % 100)};
    check_ = std::make_unique<gate::Check>(places_.options, facts_, *dns_, client_);
}

Inbound::Outcome Inbound::finish(const Message& message) {
    const auto findings = check_->finish();
    const auto decision = gate::decide(places_.options, findings, *dns_);
    check_.reset();
    client_.reset();
    if (is_settled(findings.client)) client_ = findings.client;
    log(message, findings, decision);
    if (decision.mode != gate::Mode::Off) observe(message, findings, decision);

    Outcome outcome;
    for (const auto& line : gate::verdict_lines(findings))
        if (line.result == "pass" && (line.check == "dkim" || line.check == "spf"))
            outcome.authentic.push_back(line.domain);
    using Action = gate::Decision::Action;
    if (decision.action == Action::Reject) outcome.refusal = Reply{550, "5.7.1", decision.reply};
    if (decision.action == Action::Defer) outcome.refusal = Reply{451, "4.7.1", decision.reply};
    if (outcome.refusal || decision.mode == gate::Mode::Off) return outcome;
    if (decision.action == Action::Quarantine) outcome.fields = gate::quarantine_field(findings);
    outcome.fields += authres::format(gate::results_of(places_.options.authserv_id, facts_, findings), message.utf8);
    return outcome;
}

void Inbound::log(const Message& message, const gate::Findings& findings, const gate::Decision& decision) const {
    log::Event event("message.authenticated");
    event.field("id", message.id).field("peer", ip_.text()).field("helo", facts_.helo).field("from", facts_.mail_from);
    // One field a check; a message may have several signatures.
    std::string signatures;
    for (const auto& line : gate::verdict_lines(findings)) {
        if (line.check == "dkim") {
            if (!signatures.empty()) signatures += "; ";
            signatures += line.result;
            if (!line.domain.empty()) signatures += ' ' + line.domain;
            if (line.result != "pass") signatures += " (" + line.reason + ')';
            continue;
        }
        std::string name = line.check;
        if (name == "spf" && line.reason.starts_with("helo:") && !facts_.mail_from.empty()) name = "spf_helo";
        event.field(name, line.result).field(name + "_reason", line.reason);
    }
    event.field("dkim", signatures).field("author", findings.dmarc.author);
    event.field("disposition", dmarc::policy_name(findings.dmarc.disposition));
    std::string overrides;
    for (const auto& each : findings.dmarc.overrides) {
        if (!overrides.empty()) overrides += "; ";
        overrides += dmarc::override_name(each.type);
        if (!each.comment.empty()) overrides += " (" + each.comment + ')';
    }
    if (!overrides.empty()) event.field("overrides", overrides);
    event.field("outcome", gate::action_name(decision.action)).field("reason", decision.reason);
    event.field("lookups", findings.lookups);
}

// Only where somebody wants to hear of it.
void Inbound::observe(const Message& message, const gate::Findings& findings, const gate::Decision& decision) const {
    if (places_.reports.empty()) return;
    auto observation = dmarc::observe(findings.dmarc_facts, findings.dmarc);
    if (!observation || observation->rua.empty()) return;
    observation->envelope_from = domain_of(facts_.mail_from);
    if (observation->spf && findings.mail_from.identity == spf::Identity::Helo) observation->spf->scope = "helo";
    // Nobody hides forged mail from its victim's reports by calling it a report.
    observation->is_report = findings.is_report && findings.dmarc.verdict == dmarc::Verdict::Pass;
    using Action = gate::Decision::Action;
    std::string done = decision.action == Action::Reject       ? "reject"
                       : decision.action == Action::Quarantine ? "quarantine"
                                                               : "none";
    if (done == "none" && observation->disposition == "pass") done = "pass";
    if (done != observation->disposition) {
        observation->disposition = std::move(done);
        observation->reasons.push_back({"local_policy", decision.reason});
    }
    auto domains = message.recipient_domains;
    if (domains.empty()) domains.emplace_back();
    for (const auto& domain : domains) {
        observation->envelope_to = domain;
        if (const auto appended = reports::append(places_.reports, *observation); !appended) {
            log::Event("report.lost", log::Level::Warning)
                .field("id", message.id)
                .field("error", appended.error().text);
            return;
        }
    }
}

}  // namespace gk::smtp
