// SPDX-License-Identifier: MIT
#include "common/delivery/actions.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/address/list.hpp"
#include "common/address/orcpt.hpp"
#include "common/address/path.hpp"
#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/directory/directory.hpp"
#include "common/message/header.hpp"
#include "common/sieve/compose.hpp"
#include "common/store/account.hpp"

namespace gk::delivery {

namespace {

constexpr std::size_t kMostReason = 400;  // of a reply's text: RFC 5321, 4.5.3.1.5 has 512 octets for all of it

store::IncomingMessage kind_of(const std::vector<std::string>& flags, bool binary) {
    static constexpr std::pair<std::string_view, store::Flags> kSystem[] = {{"\\Seen", store::kSeen},
                                                                            {"\\Answered", store::kAnswered},
                                                                            {"\\Flagged", store::kFlagged},
                                                                            {"\\Deleted", store::kDeleted},
                                                                            {"\\Draft", store::kDraft}};
    store::IncomingMessage kind;
    kind.binary = binary;
    for (const auto& flag : flags) {
        const auto known = std::find_if(std::begin(kSystem), std::end(kSystem),
                                        [&](const auto& one) { return text::equals_nocase(one.first, flag); });
        if (known != std::end(kSystem)) kind.flags |= known->second;
        else if (!flag.starts_with('\\')) kind.keywords.push_back(flag);
    }
    return kind;
}

class Performer {
public:
    Performer(const Filtered& filtered, const FilterInput& input, const Arrival& arrival, Memory& memory,
              const Hands& hands)
        : filtered_(filtered), input_(input), arrival_(arrival), memory_(memory), hands_(hands) {}

    Performed all();

private:
    Status store(const sieve::Action& action, const sieve::Store& what);
    Status redirect(const sieve::Action& action, const sieve::Redirect& what);
    Status vacation(const sieve::Vacation& what, Deed& deed);
    Status notify(const sieve::Notify& what, Deed& deed);
    std::string message_id() const;
    Status send(const std::string& message, const std::vector<std::string>& to, Deed& deed);
    Result<std::string> mailbox_for(const std::string& name, bool create, const std::string& special_use, Deed& deed);
    Status file(const std::string& mailbox, const store::IncomingMessage& kind, std::string_view message);
    std::string keep_copy(const std::optional<sieve::Fcc>& fcc, const std::string& message);
    Deed deed(const sieve::Action& action) const;
    std::string edited(const sieve::Action& action) const;
    void rescue();

    const Filtered& filtered_;
    const FilterInput& input_;
    const Arrival& arrival_;
    Memory& memory_;
    const Hands& hands_;
    Performed done_;
    std::size_t count_ = 0;  // actions done that cannot be taken back
};

Deed Performer::deed(const sieve::Action& action) const {
    Deed deed;
    deed.account = input_.account;
    deed.scripts = filtered_.scripts;
    deed.action = sieve::describe(action);
    deed.line = action.line;
    return deed;
}

// Empty where the message is as it came.
std::string Performer::edited(const sieve::Action& action) const {
    if (action.edition < 0) return "";
    return filtered_.outcome.editions.at(static_cast<std::size_t>(action.edition)).apply(input_.message);
}

Status Performer::file(const std::string& mailbox, const store::IncomingMessage& kind, std::string_view message) {
    GK_TRY(auto filed, hands_.file(mailbox, kind, message, true));
    ++count_;
    done_.filed.push_back(std::move(filed));
    return ok();
}

Result<std::string> Performer::mailbox_for(const std::string& wanted, bool create, const std::string& special_use,
                                           Deed& deed) {
    if (!special_use.empty()) {
        GK_TRY(auto used, input_.store->find_special_use(special_use));
        if (!used.empty()) return used;
    }
    const std::string name = store::canonical_name(wanted);
    if (const auto good = store::check_name(name); !good) {
        deed.error = good.error().text;
        return std::string("INBOX");
    }
    const auto found = input_.store->find(name);
    if (found && found->exists) return name;
    if (!found && found.error().code != Errc::NotFound) return fail(found.error());
    if (create) {
        const auto made = input_.store->create(name, special_use);
        if (!made && made.error().code != Errc::Exists) return fail(made.error());
        static_cast<void>(input_.store->subscribe(name));
        return name;
    }
    deed.error = fmt::format("there is no mailbox '{}'", text::printable(name));
    return std::string("INBOX");
}

Status Performer::store(const sieve::Action& action, const sieve::Store& what) {
    Deed said = deed(action);
    // Where a keep files was found out before the scripts ran.
    auto mailbox = what.keep && what.special_use.empty()
                       ? Result<std::string>(input_.default_mailbox)
                       : mailbox_for(what.mailbox, what.create, what.special_use, said);
    if (!mailbox) return fail(mailbox.error());
    // What ends in INBOX for want of its mailbox may be there already (RFC 5228, 2.10.3).
    const bool there = std::any_of(done_.filed.begin(), done_.filed.end(),
                                   [&](const Filed& filed) { return filed.mailbox == *mailbox; });
    if (there && !said.error.empty()) {
        done_.deeds.push_back(std::move(said));
        return ok();
    }
    const std::string other = edited(action);
    GK_CHECK(file(*mailbox, kind_of(what.flags, arrival_.binary), action.edition < 0 ? input_.message : other));
    if (!what.implicit || !said.error.empty()) done_.deeds.push_back(std::move(said));
    return ok();
}

Status Performer::redirect(const sieve::Action& action, const sieve::Redirect& what) {
    Deed said = deed(action);
    const bool loop = arrival_.been.size() > arrival_.max_delivered_to ||
                      std::find(arrival_.been.begin(), arrival_.been.end(), input_.account) != arrival_.been.end();
    if (loop) return fail(Errc::Permanent, "the message has been here before (Delivered-To): a mail loop");
    queue::Envelope envelope = arrival_.envelope;
    queue::Recipient to;
    GK_TRY(const auto address, address::parse_address(what.address));
    to.address = address.text();
    to.orcpt = arrival_.orcpt.empty() ? address::make_orcpt(input_.recipient) : arrival_.orcpt;
    // What is kept here as well is reported from here (RFC 3461, 5.2.7).
    to.notify = arrival_.notify;
    if (!filtered_.outcome.keeps_nothing()) to.notify &= ~static_cast<unsigned>(queue::kNotifySuccess);
    if (!filtered_.outcome.keeps_nothing() && arrival_.notify == queue::kNotifySuccess) to.notify = queue::kNotifyNever;
    if (!what.dsn_notify.empty()) {
        GK_TRY(to.notify, queue::parse_notify(what.dsn_notify));
    }
    if (!what.dsn_return.empty()) envelope.ret = what.dsn_return == "FULL" ? queue::Ret::Full : queue::Ret::Headers;
    if (!address.is_ascii()) envelope.smtputf8 = true;
    GK_TRY(envelope.reverse_path, hands_.forwarding(envelope.reverse_path, directory::domain_of(input_.account)));
    envelope.recipients = {std::move(to)};
    const std::string other = edited(action);
    GK_TRY(said.queue, hands_.spool(envelope, fmt::format("Delivered-To: {}\r\n", input_.account),
                                    action.edition < 0 ? input_.message : other));
    ++count_;
    done_.spool_id = said.queue;
    done_.deeds.push_back(std::move(said));
    return ok();
}

std::string Performer::message_id() const {
    return fmt::format("<{}.sieve@{}>", new_id(), directory::domain_of(input_.account));
}

// A message of the account's own making: never answered, never reported, never a loop.
Status Performer::send(const std::string& message, const std::vector<std::string>& to, Deed& deed) {
    queue::Envelope envelope;
    envelope.trace_id = arrival_.envelope.trace_id;
    envelope.is_own = true;
    const std::size_t header = message::header_length(message);
    envelope.smtputf8 = !text::is_ascii(std::string_view(message).substr(0, header));
    envelope.body = text::is_ascii(message) ? queue::Body::SevenBit : queue::Body::EightBitMime;
    for (const auto& one : to) {
        queue::Recipient recipient;
        recipient.address = one;
        recipient.notify = queue::kNotifyNever;
        if (!text::is_ascii(one)) envelope.smtputf8 = true;
        envelope.recipients.push_back(std::move(recipient));
    }
    GK_TRY(deed.queue, hands_.spool(envelope, "", message));
    return ok();
}

// RFC 8580; an error's text, or "".
std::string Performer::keep_copy(const std::optional<sieve::Fcc>& fcc, const std::string& message) {
    if (!fcc) return "";
    Deed said;
    const auto mailbox = mailbox_for(fcc->mailbox, fcc->create, fcc->special_use, said);
    if (!mailbox) return mailbox.error().text;
    if (!said.error.empty()) return said.error;
    auto filed = hands_.file(*mailbox, kind_of(fcc->flags, false), message, false);
    if (!filed) return filed.error().text;
    done_.filed.push_back(std::move(*filed));
    return "";
}

Status Performer::vacation(const sieve::Vacation& what, Deed& deed) {
    sieve::Vacation answer = what;
    // RFC 5230, 4.3: whoever reads the answer is to believe its From.
    const auto from = address::addresses_of(answer.from);
    if (from.size() != 1 || !hands_.may_send_as(from[0])) {
        deed.note = fmt::format("':from {}' is no address of the account", text::printable(answer.from, 100));
        answer.from = input_.account;
    }
    const std::string id = message_id();
    const auto composed = sieve::compose(answer, {.now_s = input_.now_s, .message_id = id});
    // Remembered before it is sent: of two answers and none, none.
    if (answer.seconds > 0) {
        const std::string key = answer.handle + " " + text::lower(answer.to);
        GK_TRY(const bool first,
               memory_.claim(Memory::Kind::Vacation, key, input_.now_s + answer.seconds, input_.now_s));
        if (!first) {
            deed.note = "answered already";
            return ok();
        }
    }
    GK_CHECK(send(composed, {answer.to}, deed));
    deed.error = keep_copy(answer.fcc, composed);
    return ok();
}

Status Performer::notify(const sieve::Notify& what, Deed& deed) {
    // RFC 5436, 2.1: a notification is no reason for another.
    const auto automatic = message::find_field(input_.message, "Auto-Submitted");
    if (automatic && text::starts_with_nocase(text::trim(*automatic), "auto-notified")) {
        deed.note = "the message is a notification itself";
        return ok();
    }
    sieve::Notify sent = what;
    const auto from = address::addresses_of(sent.from);
    if (!sent.from.empty() && (from.size() != 1 || !hands_.may_send_as(from[0]))) sent.from.clear();
    const std::string id = message_id();
    const auto composed = sieve::compose(sent, input_.account, {.now_s = input_.now_s, .message_id = id});
    std::vector<std::string> to = sent.to;
    to.insert(to.end(), sent.cc.begin(), sent.cc.end());
    to.insert(to.end(), sent.bcc.begin(), sent.bcc.end());
    GK_CHECK(send(composed, to, deed));
    deed.error = keep_copy(sent.fcc, composed);
    return ok();
}

void Performer::rescue() {
    const bool there =
        std::any_of(done_.filed.begin(), done_.filed.end(), [](const Filed& f) { return f.mailbox == "INBOX"; });
    if (there) return;
    Status saved = file("INBOX", kind_of({}, arrival_.binary), input_.message);
    if (saved) return;
    if (count_ == 0) done_.status = std::move(saved);
    else  // a second try would do again what is done
        done_.deeds.push_back({.account = input_.account, .scripts = filtered_.scripts, .error = saved.error().text});
}

Performed Performer::all() {
    for (const auto& error : filtered_.errors)
        done_.deeds.push_back({.account = input_.account, .scripts = filtered_.scripts, .error = error});
    // First what holds the message: only then is it sure that there will be no second try. Of that what stays here:
    // with nothing done yet, its failure is the next try's to mend.
    std::vector<const sieve::Action*> order;
    for (const auto& action : filtered_.outcome.actions) order.push_back(&action);
    std::stable_partition(order.begin(), order.end(),
                          [](const auto* action) { return std::holds_alternative<sieve::Store>(action->what); });
    for (const auto* next : order) {
        const auto& action = *next;
        Status status;
        if (const auto* stored = std::get_if<sieve::Store>(&action.what)) status = store(action, *stored);
        else if (const auto* sent = std::get_if<sieve::Redirect>(&action.what)) status = redirect(action, *sent);
        else if (const auto* rejected = std::get_if<sieve::Reject>(&action.what)) {
            // One line of ASCII: no reply holds more (RFC 5429, 2.1.1 and 2.2.1).
            const std::string reason = text::ascii_only(text::join(
                [&] {
                    std::vector<std::string> all;
                    for (const auto word : text::words(rejected->reason)) all.emplace_back(word);
                    return all;
                }(),
                " "));
            done_.rejected = reason.empty() ? "the recipient refuses this message" : reason.substr(0, kMostReason);
            done_.deeds.push_back(deed(action));
        } else if (std::holds_alternative<sieve::Discard>(action.what)) {
            done_.deeds.push_back(deed(action));
        }
        if (status) continue;
        const bool may_pass = status.error().code != Errc::Permanent && status.error().code != Errc::BadInput;
        if (count_ == 0 && may_pass) {
            done_.status = std::move(status);
            done_.deeds.clear();
            return std::move(done_);
        }
        Deed said = deed(action);
        said.error = status.error().text;
        done_.deeds.push_back(std::move(said));
        rescue();
        if (!done_.status) return std::move(done_);
    }
    for (const auto& action : filtered_.outcome.actions) {
        const auto* away = std::get_if<sieve::Vacation>(&action.what);
        const auto* told = std::get_if<sieve::Notify>(&action.what);
        if (away == nullptr && told == nullptr) continue;
        Deed said = deed(action);
        if (away != nullptr && arrival_.junk) {
            said.note = "the message is taken for spam";
            done_.deeds.push_back(std::move(said));
            continue;
        }
        const auto status = away != nullptr ? vacation(*away, said) : notify(*told, said);
        if (!status) said.error = status.error().text;
        done_.deeds.push_back(std::move(said));
    }
    for (const auto& remark : filtered_.outcome.remarks)
        done_.deeds.push_back({.account = input_.account, .scripts = filtered_.scripts, .note = remark});
    for (const auto& one : filtered_.outcome.remember)
        if (const auto kept =
                memory_.remember(Memory::Kind::Duplicate, one.id, input_.now_s + one.seconds, input_.now_s);
            !kept)
            done_.deeds.push_back(
                {.account = input_.account, .scripts = filtered_.scripts, .error = kept.error().text});
    for (const auto& one : done_.deeds)
        if (!one.error.empty())
            note_for_owner(input_.home,
                           one.action.empty()
                               ? one.error
                               : fmt::format("{}{}: {}: {}", one.scripts,
                                             one.line > 0 ? fmt::format(":{}", one.line) : "", one.action, one.error));
    return std::move(done_);
}

}  // namespace

Performed perform(const Filtered& filtered, const FilterInput& input, const Arrival& arrival, Memory& memory,
                  const Hands& hands) {
    return Performer(filtered, input, arrival, memory, hands).all();
}

}  // namespace gk::delivery
