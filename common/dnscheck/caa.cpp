// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/dnscheck/context.hpp"

namespace gk::dnscheck {
namespace {

using dns::Type;

constexpr unsigned kCritical = 128;

// Authorities by what their certificates call the issuer, and the name by which CAA permits them (from their practice
// statements). One that is not here is not judged.
constexpr std::pair<std::string_view, std::string_view> kAuthorities[] = {{"Let's Encrypt", "letsencrypt.org"},
                                                                          {"ZeroSSL", "sectigo.com"},
                                                                          {"Sectigo", "sectigo.com"},
                                                                          {"Google Trust Services", "pki.goog"},
                                                                          {"DigiCert", "digicert.com"},
                                                                          {"Buypass", "buypass.com"},
                                                                          {"GlobalSign", "globalsign.com"},
                                                                          {"SSL Corporation", "ssl.com"},
                                                                          {"Amazon", "amazon.com"},
                                                                          {"Actalis", "actalis.it"},
                                                                          {"GEANT", "harica.gr"},
                                                                          {"HARICA", "harica.gr"},
                                                                          {"IdenTrust", "identrust.com"},
                                                                          {"Entrust", "entrust.net"},
                                                                          {"GoDaddy", "godaddy.com"},
                                                                          {"D-Trust", "d-trust.net"},
                                                                          {"Certum", "certum.pl"},
                                                                          {"Asseco", "certum.pl"}};

std::string_view authority(const Ours& ours) {
    if (!ours.certificate || ours.certificate->self_signed) return {};
    for (const auto& [issuer, name] : kAuthorities)
        if (text::find_nocase(ours.certificate->issuer, issuer) != std::string_view::npos) return name;
    return {};
}

bool is_issue(const Caa& caa) { return caa.tag == "issue" || caa.tag == "issuewild" || caa.tag == "issuemail"; }

// The domain before the parameters; empty: nobody.
std::string issuer_of(const Caa& caa) {
    return text::lower(text::trim(std::string_view(caa.value).substr(0, caa.value.find(';'))));
}

// What is wrong with it, for a record that an authority cannot follow (RFC 8659, 4).
std::string mistake(const Caa& caa) {
    if (!std::all_of(caa.tag.begin(), caa.tag.end(), [](char ch) { return text::is_alpha(ch) || text::is_digit(ch); }))
        return "the tag is no word of letters and digits";
    static constexpr std::string_view kKnown[] = {"issue",        "issuewild",    "iodef",   "issuemail",
                                                  "contactemail", "contactphone", "issuevmc"};
    if (std::find(std::begin(kKnown), std::end(kKnown), caa.tag) == std::end(kKnown))
        return fmt::format("no authority knows the tag '{}'{}", shown(caa.tag),
                           (caa.flags & kCritical) != 0 ? ", and it is critical" : "");
    if (caa.tag == "iodef" && !caa.value.starts_with("mailto:") && !caa.value.starts_with("http:") &&
        !caa.value.starts_with("https:"))
        return "iodef is no mailto: or https: address";
    if (!is_issue(caa)) return {};
    for (const char ch : issuer_of(caa))
        if (!text::is_alpha(ch) && !text::is_digit(ch) && ch != '.' && ch != '-')
            return fmt::format("'{}' is no domain name", shown(issuer_of(caa)));
    return {};
}

// The set that counts for NAME: its own, or that of the nearest name above it (RFC 8659, 3).
const Answer* climb(const Context& c, std::string name, std::string& at) {
    while (name.find('.') != std::string::npos) {
        const Answer* answer = c.ask(name, Type::Caa);
        if (answer == nullptr) return nullptr;
        at = name;
        if (answer->found()) return answer;
        name = name.substr(name.find('.') + 1);
    }
    static const Answer kNone;
    return &kNone;
}

}  // namespace

void check_caa(const Context& c) {
    std::string at;
    const Answer* answer = climb(c, c.subject, at);
    if (answer == nullptr) return;
    const std::string_view issuer = authority(c.ours);
    const std::string wanted = fmt::format("0 issue \"{}\"", issuer);
    if (!answer->found()) {
        std::vector<Change> changes;
        if (!issuer.empty()) changes = {add(c.subject, Type::Caa, wanted)};
        return c.found("caa-missing", c.subject, "no CAA record here or above",
                       issuer.empty() ? "0 issue with the domain of your certificate authority" : wanted,
                       std::move(changes));
    }
    const std::vector<std::string> records = answer->data;
    std::vector<Change> malformed;
    std::vector<std::string> mistakes, issues, nobody;
    bool permitted = false;
    for (const auto& data : records) {
        const auto caa = read_caa(data);
        if (!caa) continue;
        if (const auto wrong = mistake(*caa); !wrong.empty()) {
            malformed.push_back(remove(at, Type::Caa, data));
            mistakes.push_back(data + ": " + wrong);
        } else if (caa->tag == "issue") {
            issues.push_back(data);
            if (issuer_of(*caa).empty()) nobody.push_back(data);
            permitted |= issuer_of(*caa) == issuer;
        }
    }
    const bool only = !malformed.empty() && malformed.size() == records.size() && !issuer.empty();
    if (only) malformed.push_back(add(at, Type::Caa, wanted));
    if (!mistakes.empty())
        c.found("caa-malformed", at, listed(mistakes), issuer.empty() ? "a record that is understood" : wanted,
                std::move(malformed));
    if (issuer.empty() || issues.empty() || permitted) return;
    std::vector<Change> changes = {add(at, Type::Caa, wanted)};
    for (const auto& data : nobody) changes.push_back(remove(at, Type::Caa, data));
    c.found("caa-issuer", at, listed(issues), wanted, std::move(changes));
}

}  // namespace gk::dnscheck
