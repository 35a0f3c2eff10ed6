// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/address/list.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/message/date.hpp"
#include "common/message/header.hpp"
#include "common/sieve/flags.hpp"
#include "common/sieve/machine.hpp"
#include "common/sieve/mailto.hpp"

// The actions: checked, counted, and kept from contradicting each other. vacation is in vacation.cpp.
namespace gk::sieve {

namespace {

constexpr std::size_t kLongestField = 2048;  // bytes of a value that addheader takes
constexpr std::size_t kLongestMailbox = 1000;

template <class T>
std::size_t count(const Outcome& outcome) {
    return static_cast<std::size_t>(
        std::count_if(outcome.actions.begin(), outcome.actions.end(),
                      [](const Action& each) { return std::holds_alternative<T>(each.what); }));
}

// RFC 5321, 2.4: a local part may mean another in another case, a domain does not.
bool same_address(std::string_view a, std::string_view b) {
    const std::size_t at = std::min(a.rfind('@'), a.size());
    return a.substr(0, at) == b.substr(0, at) && text::equals_nocase(a, b);
}

bool same_store(const Store& a, const Store& b) {
    if (text::equals_nocase(a.mailbox, "INBOX") && text::equals_nocase(b.mailbox, "INBOX")) return true;
    return a.mailbox == b.mailbox && a.special_use == b.special_use;
}

}  // namespace

// The version of the message that an action sees (RFC 5293, 6).
int Machine::edition() {
    if (!mail_->edited()) return -1;
    if (noted_version_ != mail_->version() || outcome_.editions.empty()) {
        outcome_.editions.push_back(mail_->edition());
        const Edition& made = outcome_.editions.back();
        copied_ += made.header.size() + (made.body ? made.body->size() : 0);
        noted_version_ = mail_->version();
    }
    return static_cast<int>(outcome_.editions.size()) - 1;
}

bool Machine::act(const Node& node, Action action) {
    action.line = node.at.line, action.column = node.at.column;
    const auto wrong = [&](std::string why) { return fail(node, std::move(why)), false; };
    // RFC 5429, 2.4 and RFC 5230, 4.7: a message that is refused is not delivered, sent on or answered as well.
    const bool rejects = std::holds_alternative<Reject>(action.what);
    for (const Action& other : outcome_.actions) {
        const bool other_rejects = std::holds_alternative<Reject>(other.what);
        const auto goes_somewhere = [](const Action& each) {
            return std::holds_alternative<Store>(each.what) || std::holds_alternative<Redirect>(each.what) ||
                   std::holds_alternative<Vacation>(each.what);
        };
        if (rejects && other_rejects) return wrong("the message is rejected already");
        if ((rejects && goes_somewhere(other)) || (other_rejects && goes_somewhere(action)))
            return wrong("a message cannot be rejected and " + std::string(name_of(rejects ? other : action)) +
                         " be done too (line " + std::to_string(other.line) + ")");
        // RFC 5230, 4.7: "vacation can only be executed once per script".
        if (std::holds_alternative<Vacation>(action.what) && std::holds_alternative<Vacation>(other.what))
            return wrong("vacation was done already");
    }
    if (auto* store = std::get_if<Store>(&action.what)) {
        // RFC 5228, 2.10.3: not twice into one mailbox; what comes later says the flags.
        for (Action& other : outcome_.actions)
            if (auto* earlier = std::get_if<Store>(&other.what); earlier && same_store(*earlier, *store)) {
                if (store->has_flags) earlier->flags = store->flags, earlier->has_flags = true;
                earlier->create = earlier->create || store->create;
                earlier->keep = earlier->keep || store->keep;
                return true;
            }
    }
    if (auto* redirect = std::get_if<Redirect>(&action.what)) {
        for (const Action& other : outcome_.actions)
            if (auto* earlier = std::get_if<Redirect>(&other.what);
                earlier && earlier->list == redirect->list && same_address(earlier->address, redirect->address))
                return true;
        if (count<Redirect>(outcome_) >= limits_.redirects)
            return wrong("the script redirects more than " + std::to_string(limits_.redirects) + " times");
    }
    if (std::holds_alternative<Discard>(action.what) && count<Discard>(outcome_) > 0) return true;
    if (std::holds_alternative<Notify>(action.what) && count<Notify>(outcome_) >= limits_.notifications)
        return wrong("the script notifies more than " + std::to_string(limits_.notifications) + " times");
    if (outcome_.actions.size() >= limits_.actions)
        return wrong("the script asks for more than " + std::to_string(limits_.actions) + " actions");
    const bool carries_message =
        std::holds_alternative<Store>(action.what) || std::holds_alternative<Redirect>(action.what);
    action.edition = carries_message ? edition() : -1;
    if (copied_ > limits_.copied) return wrong("the message is too large to be changed so often");
    outcome_.actions.push_back(std::move(action));
    return true;
}

// RFC 5232, 5: :flags, else the internal variable.
bool Machine::take_flags(const Node& node, Store& store) {
    if ((unit().required & bit(Ext::Imap4flags)) == 0 && flags_.empty()) return true;
    if (const Tagged* flags = node.find(Slot::Flags)) store.flags = flags_of(flags->texts), store.has_flags = true;
    else if (!flags_.empty()) store.flags = flags_, store.has_flags = true;
    else store.has_flags = (unit().required & bit(Ext::Imap4flags)) != 0 && !facts_->flags.empty();
    return true;
}

bool Machine::keep(const Node& node) {
    Store store{.mailbox = std::string(facts_->default_mailbox), .flags = {}, .keep = true, .special_use = {}};
    take_flags(node, store);
    outcome_.implicit_keep = false;
    return act(node, {std::move(store), 0, 0, -1});
}

bool Machine::fileinto(const Node& node) {
    Store store{.mailbox = text(node.args[0][0]), .flags = {}, .create = node.is(flag::Create), .special_use = {}};
    if (store.mailbox.empty() || store.mailbox.size() > kLongestMailbox || !text::is_utf8(store.mailbox) ||
        std::any_of(store.mailbox.begin(), store.mailbox.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }))
        return fail(node, "'" + text::printable(store.mailbox, 80) + "' is no name of a mailbox"), false;
    if (const Tagged* use = node.find(Slot::SpecialUse)) store.special_use = text(use->texts[0]);
    take_flags(node, store);
    if (!node.is(flag::Copy)) outcome_.implicit_keep = false;
    return act(node, {std::move(store), 0, 0, -1});
}

// RFC 5228, 4.2; RFC 6009.
bool Machine::redirect(const Node& node) {
    Redirect redirect{
        .address = text(node.args[0][0]), .list = node.is(flag::List), .dsn_notify = {}, .dsn_return = {}, .by_s = {}};
    const auto wrong = [&](std::string why) { return fail(node, std::move(why)), false; };
    if (redirect.list) {
        if (!host_->in_list(redirect.address, ""))
            return wrong("there is no list '" + text::printable(redirect.address, 80) + "'");
    } else {
        const auto address = parse_recipient(redirect.address);
        if (!address) return wrong("'" + text::printable(redirect.address, 80) + "' is no address");
        redirect.address = address->text();
    }
    if (const Tagged* notify = node.find(Slot::Notify)) {
        redirect.dsn_notify = text::upper(text(notify->texts[0]));
        bool never = false, others = false;
        for (const std::string_view each : text::split(redirect.dsn_notify, ',')) {
            if (each == "NEVER") never = true;
            else if (each == "SUCCESS" || each == "FAILURE" || each == "DELAY") others = true;
            else return wrong("':notify' takes NEVER, or SUCCESS, FAILURE and DELAY");
        }
        if (never == others) return wrong("':notify' takes NEVER, or SUCCESS, FAILURE and DELAY");
    }
    if (const Tagged* ret = node.find(Slot::Ret)) {
        redirect.dsn_return = text::upper(text(ret->texts[0]));
        if (redirect.dsn_return != "FULL" && redirect.dsn_return != "HDRS") return wrong("':ret' takes FULL or HDRS");
    }
    constexpr std::int64_t kMostBy = 999'999'999;  // RFC 2852, 4: nine digits
    if (const Tagged* by = node.find(Slot::ByTimeRelative)) {
        redirect.by_s = static_cast<std::int64_t>(std::min<std::uint64_t>(by->number, kMostBy));
    } else if (const Tagged* until = node.find(Slot::ByTimeAbsolute)) {
        const auto time = parse_rfc3339(text(until->texts[0]));
        if (!time) return wrong("':bytimeabsolute' takes a date as RFC 3339 writes it");
        redirect.by_s = std::clamp<std::int64_t>(to_unix_s(*time) - (facts_->now_s ? facts_->now_s : to_unix_s(now())),
                                                 -kMostBy, kMostBy);
    }
    if (const Tagged* mode = node.find(Slot::ByMode)) {
        const std::string value = text(mode->texts[0]);
        if (!text::equals_nocase(value, "notify") && !text::equals_nocase(value, "return"))
            return wrong("':bymode' takes notify or return");
        redirect.by_return = text::equals_nocase(value, "return");
    }
    redirect.by_trace = node.is(flag::ByTrace);
    if (!node.is(flag::Copy)) outcome_.implicit_keep = false;
    return act(node, {std::move(redirect), 0, 0, -1});
}

// RFC 5429.
bool Machine::reject(const Node& node) {
    outcome_.implicit_keep = false;
    return act(node, {Reject{text(node.args[0][0]), node.op == Op::Ereject}, 0, 0, -1});
}

// RFC 8580.
std::optional<Fcc> Machine::fcc(const Node& node) {
    const Tagged* mailbox = node.find(Slot::Fcc);
    if (!mailbox) return std::nullopt;
    Fcc fcc{.mailbox = text(mailbox->texts[0]), .flags = {}, .create = node.is(flag::Create), .special_use = {}};
    if (const Tagged* flags = node.find(Slot::Flags)) fcc.flags = flags_of(flags->texts);
    if (const Tagged* use = node.find(Slot::SpecialUse)) fcc.special_use = text(use->texts[0]);
    return fcc;
}

// RFC 5435; RFC 5436, 2.
bool Machine::notify(const Node& node) {
    Notify notify;
    notify.method = text(node.args[0][0]);
    std::string why;
    auto mailto = parse_mailto(notify.method, why);
    if (!mailto) return fail(node, why), false;
    // RFC 5436, 3: no notification about what answers or notifies by itself, lest two of them go on for ever.
    if (!budget_.spend(notify.method.size() + mail_->fields().size() * 8)) return fail(node, {}), false;
    for (HeaderField& field : mail_->fields()) {
        if (!text::equals_nocase(field.name, "Auto-Submitted")) continue;
        const std::string_view value = Mail::text_of(field);
        if (!text::starts_with_nocase(value, "auto-notified") && !text::starts_with_nocase(value, "auto-replied"))
            continue;
        remark("no notification: the message is a response or a notification itself (Auto-Submitted)");
        return true;
    }
    notify.to = std::move(mailto->to), notify.cc = std::move(mailto->cc), notify.bcc = std::move(mailto->bcc);
    notify.body = std::move(mailto->body), notify.fields = std::move(mailto->fields);
    if (const Tagged* from = node.find(Slot::From)) {
        notify.from = text(from->texts[0]);
        if (!is_single_mailbox(notify.from)) return fail(node, "':from' is one address, with a name or without"), false;
    }
    if (const Tagged* importance = node.find(Slot::Importance)) {
        const auto value = text::to_uint(text(importance->texts[0]));
        if (!value || *value < 1 || *value > 3) return fail(node, "the importance is \"1\", \"2\" or \"3\""), false;
        notify.importance = static_cast<int>(*value);
    }
    if (const Tagged* options = node.find(Slot::Options)) notify.options = list(options->texts);
    // 2.3 of RFC 5436: the subject is ":message", else the URI's, else one that tells of the message.
    notify.subject = std::move(mailto->subject);
    if (const Tagged* message = node.find(Slot::Message)) notify.subject = text(message->texts[0]);
    if (notify.subject.empty()) {
        notify.subject = "New mail notification";
        for (HeaderField& field : mail_->fields())
            if (text::equals_nocase(field.name, "Subject"))
                notify.subject = "Notification: " + std::string(Mail::text_of(field));
    }
    std::erase_if(notify.subject, [](char c) { return c == '\r' || c == '\0'; });
    std::replace(notify.subject.begin(), notify.subject.end(), '\n', ' ');
    notify.auto_submitted = "auto-notified";
    if (!facts_->own_addresses.empty()) notify.auto_submitted += "; owner-email=\"" + facts_->own_addresses[0] + '"';
    notify.fcc = fcc(node);
    return act(node, {std::move(notify), 0, 0, -1});
}

// What only the server says of a message, and what others take its word for: RFC 8601, 5; RFC 8617, 4.1.
bool Machine::may_be_added(std::string_view name) {
    const bool ours = text::equals_nocase(name, "Authentication-Results") || text::starts_with_nocase(name, "ARC-") ||
                      text::starts_with_nocase(name, "X-GK-");
    if (ours) remark("the field " + text::printable(name, 80) + " is not added: the server alone writes it");
    return !ours;
}

// RFC 5293, 4.
bool Machine::addheader(const Node& node) {
    const std::string name = text(node.args[0][0]), value = text(node.args[1][0]);
    const bool valid = !name.empty() && name.size() <= 200 &&
                       std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7F && c != ':'; });
    if (!valid) return fail(node, "'" + text::printable(name, 80) + "' is no name of a header field"), false;
    if (value.size() > kLongestField) return fail(node, "the value of a header field is too long"), false;
    if (!text::is_utf8(value)) return fail(node, "the value of a header field is not UTF-8"), false;
    if (!may_be_added(name)) return true;
    const std::size_t cost = mail_->add_field(name, value, node.is(flag::Last));
    memory_ += cost;
    if (memory_ > limits_.memory) return fail(node, "the script adds too much to the header"), false;
    return budget_.spend(cost + mail_->fields().size() * 64);  // all of them move on by one
}

// RFC 5293, 5. What says where the message has been is not deleted ("SHOULD"): such fields are passed over.
bool Machine::deleteheader(const Node& node) {
    const std::string name = text(node.args[0][0]);
    // Delivered-To is what ends loops of redirects.
    for (const std::string_view kept : {"Received", "Auto-Submitted", "Delivered-To", "Return-Path"})
        if (text::equals_nocase(name, kept)) return true;
    auto& fields = mail_->fields();
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < fields.size(); ++i)
        if (text::equals_nocase(fields[i].name, name)) found.push_back(i);
    if (!budget_.spend(64 + fields.size() * 4)) return fail(node, {}), false;
    if (const Tagged* index = node.find(Slot::Index)) {
        if (index->number > found.size()) return true;
        const auto at =
            static_cast<std::size_t>(node.is(flag::Last) ? found.size() - index->number : index->number - 1);
        found = {found[at]};
    }
    std::vector<std::size_t> doomed;
    for (const std::size_t at : found) {
        if (!budget_.spend(64)) return fail(node, {}), false;
        if (!node.args[1].empty()) {
            Matcher matcher(*this, node, node.args[1]);
            matcher.value(Mail::text_of(fields[at]));
            const bool matched = matcher.finish();
            if (failed_) return false;
            if (!matched) continue;
        }
        doomed.push_back(at);
    }
    mail_->remove_fields(doomed);
    return true;
}

}  // namespace gk::sieve
