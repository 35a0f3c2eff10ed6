// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/address/list.hpp"
#include "common/base/digest.hpp"
#include "common/base/text.hpp"
#include "common/message/header.hpp"
#include "common/sieve/machine.hpp"
#include "common/sieve/mailto.hpp"

// vacation (RFC 5230; RFC 6131), and whom it never answers (RFC 3834, 2).
namespace gk::sieve {

namespace {

// RFC 5230, 4.6 and RFC 3834, 2: addresses that belong to programs.
bool is_program(std::string_view address) noexcept {
    const std::string_view local = address.substr(0, address.rfind('@'));
    for (const std::string_view name : {"mailer-daemon", "listserv", "majordomo", "noreply", "no-reply", "donotreply",
                                        "do-not-reply", "postmaster-noreply"})
        if (text::equals_nocase(local, name)) return true;
    if (text::starts_with_nocase(local, "owner-")) return true;
    for (const std::string_view end : {"-request", "-owner", "-bounces", "-relay"})
        if (local.size() > end.size() && text::equals_nocase(local.substr(local.size() - end.size()), end)) return true;
    return local.find("-bounces+") != std::string_view::npos || text::starts_with_nocase(local, "bounce+") ||
           text::starts_with_nocase(local, "SRS0=MAILER-DAEMON");
}

bool same_address(std::string_view a, std::string_view b) {
    const auto x = address::parse_address(a), y = address::parse_address(b);
    if (!x || !y) return text::equals_nocase(a, b);
    return address::canonical(*x) == address::canonical(*y);
}

}  // namespace

// Empty where a response may be sent.
std::string Machine::why_no_response(const Node& node) {
    const std::string_view sender = facts_->reverse_path;
    if (sender.empty()) return "the null reverse-path is never answered";
    if (is_program(sender)) return "the sender " + text::printable(sender, 80) + " is a program";
    std::vector<std::string> own(facts_->own_addresses);
    if (!facts_->recipient.empty()) own.emplace_back(facts_->recipient);
    if (!facts_->original_recipient.empty()) own.emplace_back(facts_->original_recipient);
    const std::size_t trusted = own.size();
    if (!budget_.spend(mail_->fields().size() * 16)) return fail(node, {}), std::string();
    if (const Tagged* more = node.find(Slot::Addresses))
        for (const std::string& each : list(more->texts)) own.push_back(each);
    for (std::size_t i = 0; i < trusted; ++i)
        if (same_address(own[i], sender)) return "the message comes from the account itself";
    bool addressed = false;
    std::string why;
    for (HeaderField& field : mail_->fields()) {
        const auto is = [&](std::string_view name) { return text::equals_nocase(field.name, name); };
        if (text::starts_with_nocase(field.name, "List-"))
            return "the message comes from a list (" + text::printable(field.name, 40) + ")";
        if (is("Auto-Submitted") && !text::starts_with_nocase(Mail::text_of(field), "no"))
            return "the message was sent by a machine (Auto-Submitted)";
        if (is("Precedence"))
            for (const std::string_view each : {"bulk", "junk", "list"})
                if (text::equals_nocase(Mail::text_of(field), each)) return "the message is bulk (Precedence)";
        if (is("X-Auto-Response-Suppress")) {
            const std::string value = text::lower(Mail::text_of(field));
            if (value.find("all") != std::string::npos || value.find("oof") != std::string::npos)
                return "the sender wants no automatic answers (X-Auto-Response-Suppress)";
        }
        if (is("Feedback-ID") || is("X-Loop")) return "the message is bulk (" + text::printable(field.name, 40) + ")";
        // RFC 5230, 4.5.
        if (!addressed &&
            (is("To") || is("Cc") || is("Bcc") || is("Resent-To") || is("Resent-Cc") || is("Resent-Bcc"))) {
            if (!budget_.spend(field.value.size() * 4)) return fail(node, {}), std::string();
            for (const std::string& each : address::addresses_of(field.value))
                for (const std::string& mine : own) {
                    if (!budget_.spend(256)) return fail(node, {}), std::string();
                    if (same_address(each, mine)) addressed = true;
                }
        }
    }
    return addressed ? "" : "none of the account's addresses stands in To, Cc or Bcc";
}

bool Machine::vacation(const Node& node) {
    for (const Action& other : outcome_.actions)
        if (std::holds_alternative<Vacation>(other.what)) return fail(node, "vacation was done already"), false;
    const auto given = [&](Slot slot) -> std::optional<std::string> {
        const Tagged* tagged = node.find(slot);
        if (!tagged) return std::nullopt;
        return text(tagged->texts[0]);
    };
    Vacation vacation;
    vacation.to = facts_->reverse_path;
    vacation.reason = text(node.args[0][0]);
    vacation.mime = node.is(flag::Mime);
    if (auto from = given(Slot::From)) {
        if (!is_single_mailbox(*from)) return fail(node, "':from' is one address, with a name or without"), false;
        vacation.from = std::move(*from);
    } else {
        vacation.from = !facts_->own_addresses.empty() ? facts_->own_addresses[0] : std::string(facts_->recipient);
        if (!facts_->own_name.empty())
            vacation.from = message::encode_words(facts_->own_name) + " <" + vacation.from + '>';
    }
    vacation.seconds = limits_.vacation_default_s;
    const auto clamped = [&](std::uint64_t n, std::int64_t unit, std::int64_t least) {
        const auto most = static_cast<std::uint64_t>(limits_.vacation_most_s / unit);
        return std::clamp(static_cast<std::int64_t>(std::min(n, most)) * unit, least, limits_.vacation_most_s);
    };
    if (const Tagged* days = node.find(Slot::Days))
        vacation.seconds = clamped(days->number, 86'400, limits_.vacation_least_s);
    // RFC 6131, 2.1: 0 means an answer to every message.
    if (const Tagged* seconds = node.find(Slot::Seconds)) vacation.seconds = clamped(seconds->number, 1, 0);
    const std::string subject = given(Slot::Subject).value_or("");
    // RFC 5230, 4.2: without a handle, what would be sent tells responses apart.
    std::string key = given(Slot::Handle).value_or("");
    if (key.empty())
        key = "\n" + subject + '\0' + (node.find(Slot::From) ? vacation.from : "") + '\0' +
              (vacation.mime ? "1" : "0") + vacation.reason;
    if (!budget_.spend(key.size())) return fail(node, {}), false;
    const auto digest = sha256_of(key);
    vacation.handle = text::to_hex({reinterpret_cast<const char*>(digest.data()), 16});
    vacation.subject = subject;
    for (HeaderField& field : mail_->fields()) {
        if (subject.empty() && vacation.subject.empty() && text::equals_nocase(field.name, "Subject"))
            vacation.subject = "Auto: " + std::string(Mail::text_of(field));  // RFC 5230, 4.3
        if (vacation.in_reply_to.empty() && text::equals_nocase(field.name, "Message-ID"))
            vacation.in_reply_to = Mail::text_of(field);
        if (vacation.references.empty() && text::equals_nocase(field.name, "References"))
            vacation.references = Mail::text_of(field);
    }
    if (vacation.subject.empty()) vacation.subject = "Automated reply";
    std::erase_if(vacation.subject, [](char c) { return c == '\r' || c == '\0'; });
    std::replace(vacation.subject.begin(), vacation.subject.end(), '\n', ' ');
    // RFC 5230, 5.8: References of the message, then its Message-ID.
    if (!vacation.in_reply_to.empty())
        vacation.references += (vacation.references.empty() ? "" : " ") + vacation.in_reply_to;
    vacation.fcc = fcc(node);
    const std::string why = why_no_response(node);
    if (failed_) return false;
    if (!why.empty()) {
        remark("no response: " + why);
        // Still it may not stand beside a reject.
        for (const Action& other : outcome_.actions)
            if (std::holds_alternative<Reject>(other.what))
                return fail(node, "a message cannot be rejected and vacation be done too"), false;
        return true;
    }
    return act(node, {std::move(vacation), 0, 0, -1});
}

}  // namespace gk::sieve
