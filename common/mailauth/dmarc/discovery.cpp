// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/discovery.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::mailauth::dmarc {
namespace {

constexpr std::size_t kWalkLabels = 7;    // what a longer name is cut to (4.10, step 4)
constexpr std::size_t kMaxTexts = 50;     // TXT records at one name that are looked at
constexpr std::size_t kMaxRecord = 8192;  // octets of one; real ones have some hundred

// The last COUNT labels.
std::string_view tail(std::string_view name, std::size_t count) {
    std::size_t at = name.size();
    while (count > 0 && at != std::string_view::npos) {
        at = at == 0 ? std::string_view::npos : name.rfind('.', at - 1);
        --count;
    }
    return at == std::string_view::npos ? name : name.substr(at + 1);
}

std::size_t labels(std::string_view name) {
    return name.empty() ? 0 : static_cast<std::size_t>(std::count(name.begin(), name.end(), '.')) + 1;
}

void read_texts(const std::vector<std::string>& texts, Found& found) {
    std::size_t looked = 0;
    for (const auto& text : texts) {
        if (++looked > kMaxTexts) break;
        if (!is_record(text)) {
            if (text::find_nocase(text.substr(0, 40), "dmarc") != std::string::npos && found.near_misses.size() < 5)
                found.near_misses.push_back(text::printable(text, 100));
            continue;
        }
        ++found.records;
        if (found.records == 1) found.record = parse_record(std::string_view(text).substr(0, kMaxRecord));
        else found.record.reset();
    }
}

}  // namespace

std::string_view method_name(Method method) noexcept { return method == Method::TreeWalk ? "treewalk" : "psl"; }

std::string_view source_name(Source source) noexcept {
    switch (source) {
        case Source::Author: return "author";
        case Source::Organization: return "organization";
        case Source::PublicSuffix: return "public suffix";
    }
    return "author";
}

const Found& Records::at(const std::string& name) {
    const auto [position, is_new] = found_.try_emplace(name);
    Found& found = position->second;
    if (!is_new && !found.over_limit) return found;
    found = Found();
    found.name = name;
    const std::string question = "_dmarc." + name;
    if (!fits_dns(question)) return found;  // no record can be there
    if (queries_ >= most_queries_) {
        found.over_limit = true;
        found.outcome = Outcome::TempError;
        found.error = fmt::format("more than {} names would have to be asked for", most_queries_);
        return found;
    }
    ++queries_;
    const auto lookup = dns_.txt(question);
    found.outcome = lookup.outcome;
    found.error = lookup.error;
    read_texts(lookup.records, found);
    return found;
}

std::vector<std::string> walk_names(std::string_view domain) {
    std::vector<std::string> names;
    if (domain.empty()) return names;
    names.emplace_back(domain);
    for (std::size_t count = std::min(labels(domain) - 1, kWalkLabels); count > 0; --count)
        names.emplace_back(tail(domain, count));
    return names;
}

Walk walk(const std::string& domain, Records& records, const SuffixList* suffixes) {
    Walk walk;
    const Found* highest = nullptr;
    for (const auto& name : walk_names(domain)) {
        const Found& found = records.at(name);
        walk.steps.push_back(&found);
        if (found.outcome == Outcome::TempError) {
            // A top level domain that does not answer would only matter if it had a record, and then with psd=y:
            // the highest record below it is the same answer, or a narrower one.
            if (highest && labels(name) == 1) continue;
            walk.error = found.error;
            walk.over_limit = found.over_limit;
            return walk;
        }
        if (!found.record) continue;
        const auto psd = found.record->psd;
        const bool is_start = name == domain;
        walk.saw_psd |= psd == Psd::Yes || psd == Psd::No;
        if (psd == Psd::No) {
            walk.organization = name;
            return walk;
        }
        // A record of a public suffix that does not say so is taken for what it is: else all who registered below
        // it would be one organization.
        const bool listed = !psd && !is_start && suffixes && suffixes->is_suffix(name);
        if (psd == Psd::Yes || listed) {
            if (is_start) break;
            walk.public_suffix = &found;
            walk.organization = tail(domain, labels(name) + 1);
            if (listed) walk.method = Method::Psl;
            return walk;
        }
        highest = &found;
    }
    if (highest) walk.organization = highest->name;
    else walk.organization = domain;
    return walk;
}

Discovery discover(const std::string& domain, Records& records, const SuffixList* suffixes,
                   std::optional<Walk>& walked) {
    Discovery discovery;
    const Found& own = records.at(domain);
    if (own.outcome == Outcome::TempError) {
        discovery.error = own.error;
        return discovery;
    }
    if (own.record) {
        discovery.found = &own;
        return discovery;
    }
    walked = walk(domain, records, suffixes);
    if (walked->organization.empty()) {
        discovery.error = walked->error;
        return discovery;
    }
    const Found& organization = records.at(walked->organization);
    if (organization.record) {
        discovery.found = &organization;
        discovery.source = Source::Organization;
    } else if (walked->public_suffix) {
        discovery.found = walked->public_suffix;
        discovery.source = Source::PublicSuffix;
    }
    return discovery;
}

}  // namespace gk::mailauth::dmarc
