// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/survey.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/dmarc/consent.hpp"

namespace gk::mailauth::dmarc {
namespace {

constexpr std::size_t kConsentQueries = 200;  // for 40 addresses at most

class Surveyor {
public:
    Surveyor(DnsSource& dns, const Options& options)
        : dns_(dns), options_(options), records_(dns, 8), consents_(dns, kConsentQueries) {}
    Survey look_at(std::string_view domain);

private:
    void steps(const Walk& walk, const Found* applies);
    void policy(const Walk& walk, const Discovery& discovery);
    void psd(const Walk& walk);
    void addresses(std::string_view tag, const std::string& policy_domain, const std::vector<ReportUri>& uris);
    void problem(const std::string& name, std::string_view what) {
        survey_.problems.push_back(fmt::format("_dmarc.{}: {}", name, what));
    }

    DnsSource& dns_;
    const Options& options_;
    Records records_, consents_;
    Survey survey_;
};

void Surveyor::steps(const Walk& walk, const Found* applies) {
    for (const auto* found : walk.steps) {
        Survey::Line& line = survey_.lines.emplace_back();
        line.what = "walk";
        line.name = "_dmarc." + found->name;
        std::vector<std::string> notes;
        if (found->record) line.value = found->record->text;
        if (found == applies) notes.emplace_back("applies");
        if (found->record && found->name == walk.organization) notes.emplace_back("the organization");
        if (found == walk.public_suffix)
            notes.emplace_back(walk.method == Method::Psl ? "a public suffix, by the list" : "a public suffix: psd=y");
        if (found->outcome == Outcome::TempError) {
            notes.push_back(found->error);
            survey_.temporary = true;
        } else if (found->records > 1) {
            notes.push_back(fmt::format("{} records: none of them counts", found->records));
            problem(found->name,
                    fmt::format("{} records stand there, of which none counts: leave one", found->records));
        } else if (!found->record) {
            notes.emplace_back("no record");
        }
        for (const auto& text : found->near_misses)
            problem(found->name, fmt::format("'{}' is no DMARC record: it has to begin with 'v=DMARC1;'", text));
        line.note = text::join(notes, "; ");
    }
}

void Surveyor::psd(const Walk& walk) {
    const SuffixList* list = options_.suffixes;
    for (const auto* found : walk.steps) {
        if (!found->record || !list) continue;
        const bool suffix = list->is_suffix(found->name);
        if (suffix && !found->record->psd)
            problem(found->name, "is a public suffix, by the list, and its record does not say psd=y");
        if (!suffix && found->record->psd == Psd::Yes)
            problem(found->name, "psd=y says that others register below it, and the public suffix list does not");
    }
}

void Surveyor::policy(const Walk& walk, const Discovery& discovery) {
    const Found& found = *discovery.found;
    const Record& record = *found.record;
    for (const auto& each : record.problems) problem(found.name, each);
    for (const auto& each : record.remarks) survey_.remarks.push_back(fmt::format("_dmarc.{}: {}", found.name, each));
    const auto add = [&](Policy policy, std::string_view for_whom) {
        std::string note(for_whom);
        if (policy != Policy::None && record.testing.value_or(false)) note += "; t=y: one step less is done";
        survey_.lines.push_back({"policy", found.name, std::string(policy_name(policy)), note});
    };
    if (!record.applies()) {
        survey_.none = true;
    } else if (found.name == survey_.domain) {
        add(record.for_domain(), "for mail from this domain");
        if (walk.organization != survey_.domain && !walk.organization.empty() && (record.sp || record.np))
            problem(found.name,
                    fmt::format("sp and np count only in the record of the organization, {}", walk.organization));
    } else {
        const auto lookup = dns_.a(survey_.domain);
        const bool gone = lookup.no_domain;
        survey_.temporary |= lookup.outcome == Outcome::TempError;
        add(gone ? record.for_nonexistent() : record.for_subdomain(),
            gone ? "for mail from a name below it that does not exist" : "for mail from a name below it");
    }
    if (record.applies() && record.rua.empty() && record.for_domain() == Policy::None &&
        record.for_subdomain() == Policy::None && record.for_nonexistent() == Policy::None)
        problem(found.name, "it asks for nothing: neither for a policy nor for reports");
}

void Surveyor::addresses(std::string_view tag, const std::string& policy_domain, const std::vector<ReportUri>& uris) {
    for (const auto& uri : uris) {
        const auto consent = find_consent(policy_domain, uri, dns_, consents_, options_.suffixes);
        std::string note = consent.reason;
        for (const auto& each : consent.instead) note += fmt::format("; it wants {} instead", each.uri);
        survey_.lines.push_back(
            {std::string(tag), text::printable(uri.uri, 200), std::string(consent_name(consent.state)), note});
        survey_.temporary |= consent.state == Consent::State::TempError;
        if (consent.state == Consent::State::Refused)
            problem(policy_domain,
                    fmt::format("{}: no report goes to '{}': {}", tag, text::printable(uri.uri, 200), consent.reason));
    }
}

Survey Surveyor::look_at(std::string_view domain) {
    survey_.domain = author_domain(domain);
    if (survey_.domain.empty()) {
        survey_.none = true;
        survey_.problems.push_back(fmt::format("'{}' is not a domain name", text::printable(domain, 100)));
        return std::move(survey_);
    }
    std::optional<Walk> walked;
    const Discovery discovery = discover(survey_.domain, records_, options_.suffixes, walked);
    if (!walked) walked = walk(survey_.domain, records_, options_.suffixes);
    survey_.queries = records_.queries();
    steps(*walked, discovery.found);
    psd(*walked);
    if (!discovery.found) {
        survey_.none = true;
        if (!survey_.temporary)
            survey_.problems.push_back(fmt::format("no DMARC record applies to {}", survey_.domain));
        return std::move(survey_);
    }
    policy(*walked, discovery);
    if (!walked->organization.empty())
        survey_.lines.push_back({"organization", walked->organization, std::string(method_name(walked->method)), ""});
    addresses("rua", discovery.found->name, discovery.found->record->rua);
    addresses("ruf", discovery.found->name, discovery.found->record->ruf);
    return std::move(survey_);
}

}  // namespace

Survey survey(std::string_view domain, DnsSource& dns, const Options& options) {
    return Surveyor(dns, options).look_at(domain);
}

}  // namespace gk::mailauth::dmarc
