// SPDX-License-Identifier: MIT
#include "common/mailauth/spf/record.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/dnscheck/context.hpp"
#include "common/dnscheck/spf_terms.hpp"
#include "common/mailauth/spf/tree.hpp"

namespace gk::dnscheck {
namespace {

using dns::Type;
namespace spf = mailauth::spf;

struct Issue {
    std::string_view id;
    std::string is;
};

// The policy under repair, and what was found wrong with it on the way.
class Repair {
public:
    Repair(const Context& c, std::string_view record) : c_(c), terms_(SpfTerms::split(record)), original_(record) {}

    void run() {
        syntax();
        order();
        qualifiers();
        included();
        limits();
        coverage();
    }
    std::vector<Issue> issues;
    std::string record() const { return terms_.text(); }

private:
    void issue(std::string_view id, std::string is) { issues.push_back({id, std::move(is)}); }
    void syntax();
    void order();
    void qualifiers();
    void included();
    void limits();
    void coverage();
    spf::Tree tree() const {
        WithPolicy dns(c_.dns, c_.subject, record());
        return spf::show(c_.subject, dns);
    }

    const Context& c_;
    SpfTerms terms_;
    const std::string original_;
};

void Repair::syntax() {
    std::vector<std::string> wrong;
    for (auto& term : terms_.terms) {
        if (const auto parsed = spf::parse_record("v=spf1 " + term); !parsed) {
            wrong.push_back(parsed.error().text);
            term.clear();
        }
    }
    std::erase(terms_.terms, "");
    // Modifiers may stand there once: what is still wrong is the second of them.
    if (wrong.empty())
        if (const auto parsed = spf::parse_record(original_); !parsed) {
            wrong.push_back(parsed.error().text);
            terms_.drop_second_modifiers();
        }
    if (!wrong.empty()) issue("spf-syntax", listed(wrong));
}

void Repair::order() {
    if (terms_.move_all_to_end()) issue("spf-after-all", shown(original_));
    if (terms_.drop(spf::Mechanism::Ptr)) issue("spf-ptr", shown(original_));
}

void Repair::qualifiers() {
    const auto parsed = spf::parse_record(record());
    if (!parsed) return;
    const auto all = std::find_if(parsed->directives.begin(), parsed->directives.end(),
                                  [](const spf::Directive& d) { return d.mechanism == spf::Mechanism::All; });
    if (all == parsed->directives.end()) {
        if (parsed->redirect) return;
        issue("spf-no-all", "no all at the end");
        terms_.set_all("-all");
    } else if (all->qualifier == '+') {
        issue("spf-plus-all", shown(all->text));
        terms_.set_all("-all");
    } else if (all->qualifier == '?') {
        issue("spf-no-all", shown(all->text));
        terms_.set_all("-all");
    }
}

// Terms that end every check in an error: an include or a redirect whose own policy is missing or wrong.
void Repair::included() {
    std::vector<std::string> wrong;
    for (auto& term : terms_.terms) {
        const auto target = SpfTerms::policy_target(term);
        if (target.empty()) continue;
        const auto tree = spf::show(target, c_.dns);
        for (const auto& line : tree.lines)
            if (tree.temporary && !line.note.empty()) c_.unknown(line.domain + " TXT", line.note);
        std::string why = tree.none ? target + " has no SPF record" : "";
        if (why.empty() && text::equals_nocase(target, c_.subject)) why = "it leads back to itself";
        // Limits are judged for the whole; here it is what no limit would mend.
        if (why.empty() && !tree.problems.empty() && tree.lookups <= spf::Limits().lookups &&
            tree.void_lookups <= spf::Limits().void_lookups)
            why = tree.problems.front();
        if (why.empty()) continue;
        wrong.push_back(term + ": " + why);
        term = text::starts_with_nocase(term, "redirect=") ? "-all" : "";
    }
    std::erase(terms_.terms, "");
    if (!wrong.empty()) issue("spf-include", listed(wrong));
}

void Repair::limits() {
    auto now = tree();
    const spf::Limits limits;
    for (const auto& line : now.lines)
        if (now.temporary && !line.note.empty()) c_.unknown(line.domain + " TXT", line.note);
    if (now.temporary) return;
    const bool lookups = now.lookups > limits.lookups, voids = now.void_lookups > limits.void_lookups;
    if (lookups) issue("spf-lookups", fmt::format("{} lookups", now.lookups));
    else if (voids) issue("spf-void", fmt::format("{} names that do not exist", now.void_lookups));
    if (!lookups && !voids) return;
    terms_.drop_void(c_.subject, c_.dns);
    // The dearest include first, until it fits.
    for (int i = 0; i < 20; ++i) {
        now = tree();
        if (now.lookups <= limits.lookups && now.void_lookups <= limits.void_lookups) return;
        if (!terms_.flatten_dearest(c_.dns)) break;
    }
}

void Repair::coverage() {
    const auto now = tree();
    if (now.temporary || now.lookups > spf::Limits().lookups) return;
    std::vector<std::string> refused;
    for (const auto& ip : c_.ours.ips) {
        spf::Facts facts;
        const auto parsed = mailauth::Ip::parse(ip);
        if (!parsed) continue;
        facts.ip = *parsed;
        facts.helo = c_.ours.host;
        facts.mail_from = "postmaster@" + c_.subject;
        facts.now_s = c_.ours.now_s;
        WithPolicy dns(c_.dns, c_.subject, record());
        const auto checked = spf::check_mail_from(facts, dns);
        if (checked.verdict == spf::Verdict::TempError) c_.unknown(c_.subject + " SPF", checked.reason);
        else if (checked.verdict != spf::Verdict::Pass)
            refused.push_back(fmt::format("{}: {}", ip, spf::verdict_name(checked.verdict)));
        if (checked.verdict != spf::Verdict::Pass && checked.verdict != spf::Verdict::TempError) terms_.permit(*parsed);
    }
    if (!refused.empty()) issue("spf-not-ours", listed(refused));
}

// What people write for v=spf1 and receivers pass over.
bool looks_like(std::string_view txt) {
    const std::string start = text::lower(text::trim(txt).substr(0, 12));
    for (const std::string_view each : {"v=spf", "v = spf", "\"v=spf", "spf1 ", "v:spf", "v=sfp1", "v-spf1"})
        if (start.starts_with(each)) return true;
    return false;
}

std::string fresh_policy(const Context& c) {
    Repair repair(c, "v=spf1 mx -all");
    repair.run();
    return repair.record();
}

// The one of several that serves best: it is read, permits us, and not everybody.
std::string best_of(const Context& c, const std::vector<std::string>& records) {
    std::string best = records[0];
    std::size_t fewest = SIZE_MAX;
    for (std::size_t i = 0; i < records.size() && i < 8; ++i) {
        Repair repair(c, records[i]);
        repair.run();
        if (repair.issues.size() >= fewest) continue;
        fewest = repair.issues.size();
        best = records[i];
    }
    return best;
}

}  // namespace

void check_spf(const Context& c) {
    const Answer* answer = c.ask(c.subject, Type::Txt);
    if (answer == nullptr) return;
    std::vector<std::string> records, near;
    for (const auto& txt : answer->data) {
        if (spf::is_record(txt)) records.push_back(txt);
        else if (looks_like(txt)) near.push_back(txt);
    }
    std::vector<Change> changes;
    for (const auto& txt : near) changes.push_back(remove(c.subject, Type::Txt, txt));
    if (records.empty()) {
        const std::string wanted = fresh_policy(c);
        changes.push_back(add(c.subject, Type::Txt, wanted));
        if (near.empty()) return c.found("spf-missing", c.subject, "no SPF record", wanted, std::move(changes));
        return c.found("spf-unread", c.subject, listed(near), wanted, std::move(changes));
    }
    if (!near.empty()) c.found("spf-unread", c.subject, listed(near), "no such record", std::move(changes));
    const std::string kept = best_of(c, records);
    if (records.size() > 1)
        c.found("spf-multiple", c.subject, fmt::format("{} SPF records: {}", records.size(), listed(records)), kept,
                replace(c.subject, Type::Txt, records, kept));
    Repair repair(c, kept);
    repair.run();
    const std::string wanted = repair.record();
    for (const auto& issue : repair.issues) {
        const bool mended = wanted != kept;
        c.found(issue.id, c.subject, issue.is, mended ? wanted : "a policy of at most ten lookups",
                mended ? replace(c.subject, Type::Txt, {kept}, wanted) : std::vector<Change>());
    }
}

}  // namespace gk::dnscheck
