// SPDX-License-Identifier: MIT
#include "common/dnscheck/finding.hpp"

namespace gk::dnscheck {
namespace {

using enum Severity;

// clang-format off
const std::vector<Kind> kKinds = {
    // id, severity, meaning, why
    {"host-name", Error, "our host name is no public name", "Receivers refuse a server whose HELO name is not a full domain name (RFC 5321, 2.3.5)."},
    {"host-no-address", Error, "our host name has no address", "Nobody can reach a server whose name leads nowhere, and receivers refuse its HELO."},
    {"host-address", Error, "our host name leads to an address that is not ours", "Mail for us is offered to a machine that is not ours."},
    {"host-address-missing", Warning, "an address of ours is not among those of our host name", "The reverse name of that address cannot be confirmed, so receivers distrust mail from it."},
    {"host-cname", Error, "our host name is an alias", "An MX must not lead to an alias, and senders may not follow it (RFC 5321, 5.1)."},
    {"host-private", Error, "our host name leads to an address that the Internet cannot reach", "Only this network can send mail to such an address."},
    {"host-greeting", Warning, "the greeting on port 25 names another host", "The name in greeting and HELO should be the one that DNS knows, or filters take it for a forgery."},
    {"helo-spf", Advice, "our host name has no SPF record of its own", "Bounces have no other sender, so receivers check the HELO name's policy for them (RFC 7208, 2.3)."},
    {"ptr-missing", Error, "an address of ours has no reverse name", "Large receivers refuse mail from addresses without a reverse name."},
    {"ptr-differs", Warning, "an address's reverse name is not our host name", "Filters expect reverse name and HELO name to be the same."},
    {"ptr-forward", Error, "an address's reverse name does not lead back to it", "A reverse name that is not confirmed by its own address counts as none (iprev, RFC 8601, 2.7.3)."},
    {"ptr-multiple", Warning, "an address has more than one reverse name", "Which one a receiver looks at is chance, and only one can be the HELO name."},
    {"mx-missing", Error, "there is no MX record", "Without one, mail goes to the domain's own address, which is often a web server (RFC 5321, 5.1)."},
    {"mx-elsewhere", Error, "no MX record leads to our host", "Mail for the domain is delivered to somebody else."},
    {"mx-foreign", Warning, "an MX record leads to a host besides ours", "Whatever accepts mail there must know the domain's users and filters, or mail is lost or spam comes in by it."},
    {"mx-unresolvable", Error, "an MX record leads to a name without address", "Senders that pick it cannot deliver, and some give up."},
    {"mx-cname", Error, "an MX record leads to an alias", "An MX must name a host by its own name (RFC 2181, 10.3), and some senders refuse others."},
    {"mx-literal", Error, "an MX record holds an address in place of a name", "An address is no name, so the record leads nowhere (RFC 5321, 5.1)."},
    {"mx-null", Error, "a null MX says that the domain accepts no mail", "Senders bounce all mail for it at once (RFC 7505)."},
    {"mx-null-beside", Error, "a null MX stands beside other MX records", "The records contradict each other, and what senders make of it differs (RFC 7505, 3)."},
    {"apex-cname", Error, "the domain is an alias and should have records of its own", "A name with a CNAME can hold no MX or TXT, so mail follows the alias's records (RFC 1034, 3.6.2)."},
    {"spf-missing", Error, "there is no SPF record", "Receivers cannot tell mail of the domain from forgeries, and large ones refuse it."},
    {"spf-multiple", Error, "there is more than one SPF record", "Two records are an error, and no policy holds (RFC 7208, 4.5)."},
    {"spf-unread", Error, "a record looks like SPF and is not read as such", "Receivers look for 'v=spf1' and a blank, to the letter; what differs is passed over."},
    {"spf-syntax", Error, "the SPF record has a mistake in it", "A record with one wrong term is no policy at all (permerror: RFC 7208, 4.6)."},
    {"spf-include", Error, "the SPF record builds on a domain that has no valid one", "Including what has no policy ends every check in an error (RFC 7208, 5.2)."},
    {"spf-lookups", Error, "the SPF record needs more than ten lookups", "Receivers stop at ten, and no policy holds then (RFC 7208, 4.6.4)."},
    {"spf-void", Error, "the SPF record asks for more than two names that do not exist", "Receivers stop at the third lookup that finds nothing (RFC 7208, 4.6.4)."},
    {"spf-not-ours", Error, "the SPF record does not permit one of our addresses", "Receivers take the domain's own mail for forged."},
    {"spf-plus-all", Error, "the SPF record permits every address", "Anybody may send as the domain, and receivers treat it accordingly."},
    {"spf-no-all", Warning, "the SPF record does not say what other addresses are", "Without -all or ~all at the end a forgery is neutral, which protects nothing."},
    {"spf-after-all", Warning, "the SPF record has terms behind all", "They are never looked at (RFC 7208, 5.1)."},
    {"spf-ptr", Warning, "the SPF record uses ptr", "It is slow, unreliable and must not be published any more (RFC 7208, 5.5)."},
    {"dkim-no-key", Warning, "no key of ours signs for the domain", "Unsigned mail is distrusted, and DMARC then hangs on SPF alone."},
    {"dkim-missing", Error, "a key that signs is not in DNS", "Every signature by it fails."},
    {"dkim-unpublished", Warning, "a key that is to sign next is not in DNS yet", "It cannot be put to use before everybody can see it."},
    {"dkim-differs", Error, "DNS shows another key than the one that signs", "Every signature by it fails."},
    {"dkim-malformed", Error, "a key's record cannot be read", "A key that cannot be read is no key, so every signature by it fails (RFC 6376, 3.6.1)."},
    {"dkim-multiple", Error, "a selector has more than one record", "Which one a receiver takes is chance (RFC 6376, 3.6.2.2)."},
    {"dkim-revoked", Error, "DNS says that a key that signs is revoked", "An empty p= makes every signature by it fail (RFC 6376, 3.6.1)."},
    {"dkim-not-revoked", Warning, "DNS shows a key that is revoked here", "Whoever has its private key can still sign as the domain; an empty p= ends that (RFC 6376, 3.6.1)."},
    {"dkim-restricted", Error, "a key's record forbids what we use it for", "h= must permit sha256, and s= must permit email, or the signatures fail."},
    {"dkim-testing", Warning, "a key's record says that it is only tested", "With t=y a receiver treats signed mail as if it were not signed (RFC 6376, 3.6.1)."},
    {"dkim-weak", Warning, "a key that signs is weak", "RSA keys below 2048 bits are within reach of attackers, and below 1024 no receiver accepts them (RFC 8301)."},
    {"dmarc-missing", Error, "there is no DMARC record", "Receivers do not know what to do with forgeries, and large ones want a record from every sender."},
    {"dmarc-multiple", Error, "there is more than one DMARC record", "Two records are no policy (RFC 9989)."},
    {"dmarc-syntax", Error, "the DMARC record cannot be read", "A record with a mistake in it is no policy."},
    {"dmarc-tags", Advice, "the DMARC record has tags that mean nothing (any more)", "They are passed over, so the record does not do what it seems to say (RFC 9989)."},
    {"dmarc-none", Advice, "the DMARC policy asks for nothing", "With p=none receivers deliver forgeries as before; it is for the weeks in which reports are watched."},
    {"dmarc-subdomains", Advice, "the DMARC policy for subdomains is weaker than the domain's", "Forgers then use a subdomain."},
    {"dmarc-no-reports", Advice, "the DMARC record asks for no reports", "Without rua= nobody tells you who sends as the domain, forgers and forgotten servers alike."},
    {"dmarc-report-address", Warning, "the DMARC record asks for reports to something that is no mail address", "Reports can only be sent to mailto: addresses (RFC 9990)."},
    {"dmarc-report-consent", Warning, "reports are to go to a domain that has not agreed", "Senders of reports ask the other domain first, and send nothing without its record (RFC 9990)."},
    {"dmarc-unaligned", Error, "DMARC asks for rejection, and neither SPF nor DKIM can pass", "All mail of the domain is refused."},
    {"mta-sts-missing", Warning, "the MTA-STS policy is there and its record is not", "Without the record nobody looks for the policy (RFC 8461, 3.1)."},
    {"mta-sts-none", Advice, "there is neither an MTA-STS policy nor DANE", "Somebody on the way can take TLS away from mail for the domain, and senders do not notice."},
    {"mta-sts-multiple", Error, "there is more than one MTA-STS record", "Two records are none (RFC 8461, 3.1)."},
    {"mta-sts-syntax", Error, "the MTA-STS record cannot be read", "Senders then use no policy, or keep an old one (RFC 8461, 3.1)."},
    {"mta-sts-id", Warning, "the MTA-STS record does not announce the policy that is configured", "Senders keep the policy they have until the id changes (RFC 8461, 3.1)."},
    {"mta-sts-host", Error, "the name that the MTA-STS policy is fetched from has no address", "The record promises a policy that nobody can fetch."},
    {"mta-sts-policy", Error, "the MTA-STS policy cannot be fetched", "The record promises a policy that nobody can fetch, over HTTPS and with a valid certificate (RFC 8461, 3.3)."},
    {"mta-sts-policy-syntax", Error, "the MTA-STS policy cannot be read", "A policy with a mistake in it protects nothing (RFC 8461, 3.2)."},
    {"mta-sts-mx", Error, "the MTA-STS policy leaves out one of the domain's MX hosts", "Senders that enforce the policy deliver to no host that it leaves out."},
    {"mta-sts-mode", Advice, "the MTA-STS policy is not enforced", "In mode testing or none senders deliver without TLS all the same."},
    {"mta-sts-age", Advice, "the MTA-STS policy is kept for less than a week", "What senders forget soon protects little; weeks are usual (RFC 8461, 3.2)."},
    {"tls-rpt-missing", Warning, "there is no TLS-RPT record", "Nobody tells you when senders fail to reach you over TLS (RFC 8460)."},
    {"tls-rpt-multiple", Warning, "there is more than one TLS-RPT record", "Two records are none (RFC 8460, 3)."},
    {"tls-rpt-syntax", Warning, "the TLS-RPT record cannot be read", "Reports are not sent then (RFC 8460, 3)."},
    {"tlsa-missing", Warning, "the host's zone is signed and has no TLSA record", "With one, DANE keeps anybody from taking TLS away from mail to us (RFC 7672)."},
    {"tlsa-differs", Error, "no TLSA record fits the certificate", "Senders that know DANE deliver nothing until it fits (RFC 7672, 2.2)."},
    {"tlsa-stale", Advice, "a TLSA record fits no certificate of ours", "It is left from an old certificate, or prepared for the next one."},
    {"tlsa-unusable", Warning, "a TLSA record cannot be used for mail", "Senders pass over usages 0 and 1 and digests of the wrong length (RFC 7672, 3.1.3)."},
    {"tlsa-insecure", Warning, "a TLSA record stands in a zone that is not signed", "Without DNSSEC it means nothing (RFC 7672, 2.2)."},
    {"certificate-expired", Error, "the certificate has expired", "Senders under MTA-STS and all mail programs refuse it."},
    {"certificate-name", Warning, "the certificate does not name our host", "Mail programs, and senders under MTA-STS, refuse a certificate for another name."},
    {"srv-missing", Warning, "the SRV record of a service is missing", "Mail programs find servers by it (RFC 6186, RFC 8314)."},
    {"srv-port", Warning, "an SRV record has the wrong port", "Mail programs that trust it cannot connect."},
    {"srv-target", Warning, "an SRV record leads to another host", "Mail programs that trust it send passwords elsewhere, or nowhere."},
    {"srv-null", Warning, "an SRV record says that a service is not offered, and it is", "Mail programs that trust it do not even try."},
    {"srv-pop3", Warning, "an SRV record offers POP3, which is not served", "Mail programs may choose it and fail."},
    {"srv-pop3-missing", Advice, "no SRV record says that POP3 is not served", "With a null target mail programs do not try it (RFC 6186, 3.4)."},
    {"srv-multiple", Warning, "a service has an SRV record besides ours", "Mail programs may choose the other host."},
    {"autoconfig-missing", Advice, "a name that mail programs ask for their settings is not there", "With it they set themselves up; it needs a web server that answers."},
    {"autoconfig-dangling", Warning, "a name that mail programs ask for their settings leads nowhere", "Whoever registers what it leads to can hand out settings in your name."},
    {"caa-issuer", Error, "CAA records forbid whoever issued our certificate", "It cannot be renewed (RFC 8659)."},
    {"caa-malformed", Warning, "a CAA record cannot be understood", "Authorities refuse to issue where a critical record is unknown, and pass over others (RFC 8659, 4)."},
    {"caa-missing", Advice, "there is no CAA record", "Any authority may issue a certificate for our host."},
    {"dnssec-none", Advice, "the zone is not signed", "Anybody on the way can change its answers, and DANE cannot be used."},
    {"dnssec-no-ds", Warning, "the zone is signed and its parent does not say so", "Without a DS record nobody can check the signatures."},
    {"dnssec-ds-mismatch", Error, "no DS record at the parent fits the zone's keys", "Resolvers that validate get no answer at all."},
    {"dnssec-ds-unsigned", Error, "the parent says that the zone is signed, and it is not", "Resolvers that validate get no answer at all."},
    {"dnssec-bogus", Error, "the zone's signatures do not validate", "Resolvers that validate get no answer at all, so mail neither comes nor goes."},
    {"no-mail-mx", Warning, "a domain without mail does not say so by a null MX", "Senders try for days what can never be delivered (RFC 7505)."},
    {"no-mail-spf", Warning, "a domain without mail does not say so by 'v=spf1 -all'", "Forgers like domains whose policy permits them, or is missing."},
    {"no-mail-dmarc", Warning, "a domain without mail has no DMARC policy of reject", "Receivers need it to refuse what forgers send."},
};
// clang-format on

}  // namespace

const std::vector<Kind>& kinds() { return kKinds; }

const Kind* find_kind(std::string_view id) noexcept {
    for (const auto& kind : kKinds)
        if (kind.id == id) return &kind;
    return nullptr;
}

std::string_view severity_name(Severity severity) noexcept {
    return severity == Error ? "error" : severity == Warning ? "warning" : "advice";
}

bool Report::any(Severity at_least) const noexcept {
    for (const auto& finding : findings)
        if (finding.kind->severity >= at_least) return true;
    return false;
}

bool Report::has(std::string_view id) const noexcept {
    return std::any_of(findings.begin(), findings.end(), [&](const Finding& f) { return f.kind->id == id; });
}

// A change that a later one takes back is left out: the last word about a record counts.
std::vector<Change> Report::changes() const {
    std::vector<Change> last;
    for (const auto& finding : findings)
        for (const auto& change : finding.changes) {
            bool taken_back = false;
            std::erase_if(last, [&](const Change& each) {
                if (!each.record.same_as(change.record)) return false;
                taken_back |= each.op != change.op;
                return true;
            });
            if (!taken_back) last.push_back(change);
        }
    std::stable_partition(last.begin(), last.end(), [](const Change& c) { return c.op == Change::Op::Delete; });
    return last;
}

}  // namespace gk::dnscheck
