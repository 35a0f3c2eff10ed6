// SPDX-License-Identifier: MIT
#include "common/sieve/extension.hpp"

#include <algorithm>
#include <iterator>

#include "common/sieve/sieve.hpp"

namespace gk::sieve {

namespace {

struct Named {
    std::string_view name;
    Ext ext;
};

// Sorted by name. i;octet and i;ascii-casemap are the base's (RFC 5228, 2.7.3); requiring them is permitted.
constexpr Named kNamed[] = {
    {"body", Ext::Body},
    {"comparator-i;ascii-casemap", Ext::Base},
    {"comparator-i;ascii-numeric", Ext::AsciiNumeric},
    {"comparator-i;octet", Ext::Base},
    {"comparator-i;unicode-casemap", Ext::UnicodeCasemap},
    {"copy", Ext::Copy},
    {"date", Ext::Date},
    {"duplicate", Ext::Duplicate},
    {"editheader", Ext::Editheader},
    {"enclose", Ext::Enclose},
    {"encoded-character", Ext::EncodedCharacter},
    {"enotify", Ext::Enotify},
    {"envelope", Ext::Envelope},
    {"environment", Ext::Environment},
    {"ereject", Ext::Ereject},
    {"extlists", Ext::Extlists},
    {"extracttext", Ext::Extracttext},
    {"fcc", Ext::Fcc},
    {"fileinto", Ext::Fileinto},
    {"foreverypart", Ext::Foreverypart},
    {"ihave", Ext::Ihave},
    {"imap4flags", Ext::Imap4flags},
    {"imapsieve", Ext::Imapsieve},
    {"include", Ext::Include},
    {"index", Ext::Index},
    {"mailbox", Ext::Mailbox},
    {"mboxmetadata", Ext::Mboxmetadata},
    {"mime", Ext::Mime},
    {"redirect-deliverby", Ext::RedirectDeliverby},
    {"redirect-dsn", Ext::RedirectDsn},
    {"regex", Ext::Regex},
    {"reject", Ext::Reject},
    {"relational", Ext::Relational},
    {"replace", Ext::Replace},
    {"servermetadata", Ext::Servermetadata},
    {"spamtest", Ext::Spamtest},
    {"spamtestplus", Ext::Spamtestplus},
    {"special-use", Ext::SpecialUse},
    {"subaddress", Ext::Subaddress},
    {"vacation", Ext::Vacation},
    {"vacation-seconds", Ext::VacationSeconds},
    {"variables", Ext::Variables},
    {"virustest", Ext::Virustest},
    {"vnd.dovecot.testsuite", Ext::Testsuite},
};

}  // namespace

std::string_view name_of(Ext ext) noexcept {
    for (const Named& each : kNamed)
        if (each.ext == ext && ext != Ext::Base) return each.name;
    return {};
}

std::optional<Ext> extension_named(std::string_view name) noexcept {
    const auto at = std::lower_bound(std::begin(kNamed), std::end(kNamed), name,
                                     [](const Named& each, std::string_view wanted) { return each.name < wanted; });
    if (at == std::end(kNamed) || at->name != name) return std::nullopt;
    return at->ext;
}

std::uint64_t implied_by(Ext ext) noexcept {
    switch (ext) {
        case Ext::Spamtestplus: return bit(Ext::Spamtest);
        case Ext::VacationSeconds: return bit(Ext::Vacation);
        case Ext::Imapsieve: return bit(Ext::Environment);
        default: return 0;
    }
}

Extensions Extensions::all() {
    Extensions set;
    for (const Named& each : kNamed)
        if (each.ext != Ext::Testsuite) set.bits |= bit(each.ext);
    return set;
}

Extensions Extensions::none() { return {}; }

bool Extensions::set(std::string_view name, bool on) {
    const auto ext = extension_named(name);
    if (!ext || *ext == Ext::Testsuite) return false;
    bits = on ? bits | bit(*ext) : bits & ~bit(*ext);
    return true;
}

bool Extensions::has(std::string_view name) const {
    const auto ext = extension_named(name);
    return ext && (bits & bit(*ext)) == bit(*ext);
}

std::vector<std::string_view> Extensions::names() const {
    std::vector<std::string_view> found;
    for (const Named& each : kNamed)
        if ((bits & bit(each.ext)) == bit(each.ext)) found.push_back(each.name);
    return found;
}

std::string Extensions::joined() const {
    std::string all;
    for (const std::string_view name : names()) {
        if (!all.empty()) all += ' ';
        all += name;
    }
    return all;
}

}  // namespace gk::sieve
