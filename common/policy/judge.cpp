// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/mailauth/ip.hpp"
#include "common/policy/policy.hpp"

namespace gk::policy {

namespace {

using Action = Decision::Action;

std::string_view domain_of(std::string_view address) {
    const auto at = address.rfind('@');
    return at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
}

std::string canonical(const std::string& address) {
    const auto parsed = address::parse_address(address);
    return parsed ? address::canonical(*parsed) : text::lower(address);
}

// RFC 5321, 4.5.1, and RFC 2142, 5: whoever is refused must be able to say so.
bool must_be_reachable(std::string_view recipient) {
    const auto local = recipient.substr(0, recipient.rfind('@'));
    return text::equals_nocase(local, "postmaster") || text::equals_nocase(local, "abuse");
}

std::optional<Verdict> judge_helo(const Options& options, const Facts& facts) {
    const std::string helo = text::lower(facts.helo);
    const auto say = [&](std::string reason) {
        return Verdict{"helo", "wrong", options.score_helo, std::move(reason)};
    };
    if (options.score_helo == 0) return std::nullopt;
    if (helo == text::lower(options.hostname)) return say("it calls itself by our name");
    if (helo.starts_with('[')) {
        auto literal = std::string_view(helo).substr(1, helo.size() - 2);
        if (literal.starts_with("ipv6:")) literal.remove_prefix(5);
        const auto said = mailauth::Ip::parse(literal), is = mailauth::Ip::parse(facts.ip);
        if (said && is && said->without_mapping() == is->without_mapping()) return std::nullopt;
        return say("it gives another address than its own");
    }
    if (helo.find('.') == std::string::npos) return say("its name has no domain");
    if (mailauth::Ip::parse(helo)) return say("its name is an address without brackets");
    return std::nullopt;
}

Decision refuse(Decision decision, Action action, int code, std::string enhanced, std::string reply) {
    decision.action = action;
    decision.code = code;
    decision.enhanced = std::move(enhanced);
    decision.reply = std::move(reply);
    return decision;
}

}  // namespace

std::string_view action_name(Action action) noexcept {
    return action == Action::Accept ? "accept" : action == Action::Defer ? "defer" : "reject";
}

std::string Decision::reasons() const {
    std::string text;
    for (const auto& verdict : verdicts) {
        if (!text.empty()) text += "; ";
        text += fmt::format("{} {}: {}", verdict.check, verdict.result, verdict.reason);
        if (verdict.score != 0) text += fmt::format(" ({:+})", verdict.score);
    }
    return text;
}

std::string network_of(std::string_view ip) {
    const auto parsed = mailauth::Ip::parse(ip);
    if (!parsed) return std::string(ip);
    mailauth::Ip network = parsed->without_mapping();
    const std::size_t kept = network.v6 ? 8 : 3;
    for (std::size_t i = kept; i < network.octets.size(); ++i) network.octets[i] = 0;
    return network.text() + (network.v6 ? "/64" : "/24");
}

Decision judge(const Options& options, const Lists& lists, State& state, Rates& rates, const Facts& facts,
               const std::vector<Verdict>& client) {
    Decision decision;
    const std::string network = network_of(facts.ip);
    if (const auto* entry = lists.find(facts.ip, facts.helo, facts.sender, facts.now_s)) {
        decision.verdicts.push_back({"list", entry->allow ? "allow" : "block", 0, entry->entry});
        if (entry->allow) return decision;
        if (!must_be_reachable(facts.recipient))
            return refuse(decision, Action::Reject, 550, "5.7.1", entry->entry + " is blocked here");
    }
    if (must_be_reachable(facts.recipient)) return decision;

    // Before the block that it leads to: which address it was stays a secret.
    const std::string recipient = canonical(facts.recipient);
    if (std::find(options.honeypots.begin(), options.honeypots.end(), recipient) != options.honeypots.end()) {
        // A bounce comes from whoever was written to in the trap's name; and one bad customer is not a whole server.
        const std::string_view spared = facts.sender.empty()                   ? "a bounce"
                                        : state.is_known(network, facts.now_s) ? "its mail was good before"
                                                                               : "";
        if (spared.empty()) state.block(network, facts.now_s + options.honeypot_block_s, facts.now_s);
        decision.verdicts.push_back({"honeypot", "hit", 0,
                                     fmt::format("{} is nobody's address: {} is {}blocked{}{}", recipient, network,
                                                 spared.empty() ? "" : "not ", spared.empty() ? "" : ", ", spared)});
        return refuse(decision, Action::Reject, 550, "5.1.1", "no such user");
    }
    if (const auto until = state.blocked(network, facts.now_s)) {
        const std::string when = format_rfc3339(from_unix_s(*until));
        decision.verdicts.push_back({"honeypot", "blocked", 0, network + " until " + when});
        return refuse(
            decision, Action::Reject, 550, "5.7.1",
            "your network " + network + " wrote to an address that only harvesters know; blocked until " + when);
    }
    for (const auto& [key, most] :
         {std::pair(facts.ip, options.address_recipients), {network, options.network_recipients}}) {
        const auto wait = rates.take(key, most, facts.now_s);
        if (wait == 0) continue;
        decision.verdicts.push_back(
            {"rate", "exceeded", 0, fmt::format("{} names more than {} recipients an hour", key, most)});
        return refuse(decision, Action::Defer, 450, "4.7.1",
                      fmt::format("{} may name {} recipients an hour: try again in {} s", key, most, wait));
    }

    decision.verdicts.insert(decision.verdicts.end(), client.begin(), client.end());
    if (auto helo = judge_helo(options, facts)) decision.verdicts.push_back(std::move(*helo));
    if (facts.pregreet && options.score_pregreet != 0)
        decision.verdicts.push_back({"pregreet", "spoke", options.score_pregreet, "it spoke before it was greeted"});
    if (facts.errors > 0 && options.score_protocol != 0)
        decision.verdicts.push_back(
            {"protocol", "errors", options.score_protocol, fmt::format("{} commands were refused", facts.errors)});
    for (const auto& verdict : decision.verdicts) decision.score += verdict.score;
    if (decision.score >= options.reject_score) {
        std::string why;
        for (const auto& verdict : decision.verdicts)
            if (verdict.score > 0) why += (why.empty() ? "" : "; ") + verdict.reason;
        return refuse(
            decision, Action::Reject, 550, "5.7.1",
            fmt::format("{} points against you, {} are too many: {}", decision.score, options.reject_score, why));
    }

    // A report has no domain of its own: the name of the client stands for it.
    const std::string_view domain = facts.sender.empty() ? std::string_view(facts.helo) : domain_of(facts.sender);
    if (!options.greylist || decision.score < options.greylist_score) return decision;
    const auto grey = state.greylist(network, domain, facts.now_s);
    decision.verdicts.push_back({"greylist", grey.pass ? "pass" : "wait", 0, grey.why});
    if (grey.pass) return decision;
    return refuse(decision, Action::Defer, 450, "4.7.1",
                  fmt::format("greylisted ({}): try again in {} s", grey.why, grey.wait_s));
}

}  // namespace gk::policy
