// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dkim/verify.hpp"
#include "common/mailauth/dmarc/authors.hpp"
#include "common/mailauth/dmarc/discovery.hpp"
#include "common/mailauth/ip.hpp"
#include "common/mailauth/spf/check.hpp"

// DMARC (RFC 9989): facts about a message in, one verdict out. Only DNS is asked, through the source given.
//
//   dmarc::Facts facts;
//   facts.authors = dmarc::find_authors(header_block);
//   facts.spf = dmarc::spf_fact(checked_mail_from);       // never that of the HELO identity alone (4.4.2)
//   facts.dkim = dmarc::dkim_facts(verifier.finish(dns)); // all of them
//   facts.sample = random below 100;
//   const auto evaluation = dmarc::evaluate(facts, dns, options);
namespace gk::mailauth::dmarc {

enum class Verdict { None, Pass, Fail, TempError, PermError };
std::string_view verdict_name(Verdict verdict) noexcept;  // as in Authentication-Results

struct SpfFact {
    spf::Verdict verdict = spf::Verdict::None;
    std::string domain;  // of the MAIL FROM identity (RFC 7208, 2.4): postmaster@HELO for the null reverse-path
};
SpfFact spf_fact(const spf::Checked& mail_from);

struct DkimFact {
    dkim::Verdict verdict = dkim::Verdict::Neutral;
    std::string domain;  // d=
    std::string selector;
};
std::vector<DkimFact> dkim_facts(const std::vector<dkim::Verified>& all);

struct Facts {
    Authors authors;
    SpfFact spf;
    std::vector<DkimFact> dkim;

    // For local overrides.
    std::optional<Ip> ip;     // of the client
    std::string client_name;  // that its address confirms (iprev); empty: none
    // Not empty: a valid ARC chain says that the message passed when it came to a sealer whom we trust; then the
    // comment for the report, "arc=pass as[2].d=list.test as[2].s=x" (RFC 8617, 7.2.2).
    std::string trusted_arc;

    unsigned sample = 0;  // 0 to 99, drawn by the caller: which share of pct= this message falls into
};

struct Options {
    const SuffixList* suffixes = nullptr;     // null: RFC 9989 alone; see aligned()
    bool honour_pct = true;                   // of records that do not say t=
    Policy most_severe = Policy::Reject;      // nothing harsher is done, whatever is published
    std::vector<std::string> exempt_domains;  // author domains, with all below them, whose policy is not applied
    struct Network {
        Ip ip;
        unsigned prefix = 0;
    };
    std::vector<Network> forwarder_networks;     // clients that break SPF and DKIM of others, and are trusted
    std::vector<std::string> forwarder_domains;  // the same by Facts::client_name, with all below them
    std::size_t authors = 5;                     // author domains that are evaluated; with more it is a permerror
    std::size_t queries = 40;  // TXT lookups for one author: its own walk takes 8, what is left is for identifiers
};

enum class Alignment {
    None,
    Relaxed,  // the same Organizational Domain
    Strict,   // the same domain
    Unknown,  // DNS did not answer; or it does not matter, since the identifier did not pass
};
std::string_view alignment_name(Alignment alignment) noexcept;

// One identifier that SPF or DKIM looked at.
struct Identifier {
    enum class Kind { Spf, Dkim };
    Kind kind = Kind::Dkim;
    std::size_t index = 0;  // into Facts::dkim
    std::string domain;
    bool passed = false;     // authenticated
    bool temporary = false;  // might have passed, had DNS answered
    Alignment alignment = Alignment::Unknown;
    Method method = Method::TreeWalk;  // by which Relaxed was found
    std::string organization;          // where it had to be found
    bool counts() const noexcept {
        return passed && (alignment == Alignment::Relaxed || alignment == Alignment::Strict);
    }
};

// Why what is done is not what the domain asks for: PolicyOverride of reports (RFC 9990).
struct Override {
    enum class Type { LocalPolicy, MailingList, Other, PolicyTestMode, TrustedForwarder };
    Type type = Type::Other;
    std::string comment;
};
std::string_view override_name(Override::Type type) noexcept;  // "policy_test_mode"

// The policy that applied, as published.
struct Published {
    std::string domain;  // the policy domain: where the record stands
    Source source = Source::Author;
    Record record;
    std::string tag;                    // which tag's policy counts here: "p", "sp", "np"
    Policy policy = Policy::None;       // what it says
    std::optional<bool> author_exists;  // where it had to be asked: for np
};

struct Evaluation {
    Verdict verdict = Verdict::None;
    Policy disposition = Policy::None;  // what is to be done; not None only for Fail and PermError
    // For TempError: what a Fail would bring. Whoever accepts then lets forgers through who can make DNS slow.
    Policy at_stake = Policy::None;

    std::string author;                   // the Author Domain this is about; empty where there is none
    std::string organization;             // its Organizational Domain; empty where it did not have to be found
    Method method = Method::TreeWalk;     // by which that, or else the policy, was found
    std::optional<Published> published;   // the policy; absent for None, and for errors before it was found
    std::vector<Identifier> identifiers;  // SPF first, then DKIM in the message's order
    bool spf_aligned = false, dkim_aligned = false;  // an aligned pass: policy_evaluated of reports
    std::vector<Override> overrides;                 // in the order in which they were applied
    std::string reason;                              // for logs and people; untrusted bytes escaped
    std::size_t queries = 0;                         // TXT lookups
};

// With several author domains (RFC 9989, 11.5): each is evaluated, and the strictest answer counts: the harshest
// disposition, or what is at stake, first; of equal ones a Fail, an error, temporary ones first, None; Pass only where
// all pass. A TempError beside other authors has the harshest at stake, whatever is known of the policy: one author's
// slow zone uses up the time for the next. Who names no domain at all has None.
//
// A PermError where it is not sure who the author is, which no policy can answer: to be quarantined where readers of
// the From field would not agree on it (Authors::malformed); to be rejected where it names more domains than
// OPTIONS.authors, or where the header was cut. Neither is harsher than OPTIONS.most_severe, and forwarders whom we
// trust spare them too; exempt_domains do not, for there may be another author.
//
// A temporary error of an identifier counts only where it would have been aligned, and DNS of a name outside of the
// author's organization is never asked: who forges mail cannot turn a Fail into a TempError by a broken zone of his.
Evaluation evaluate(const Facts& facts, DnsSource& dns, const Options& options = {});

}  // namespace gk::mailauth::dmarc
