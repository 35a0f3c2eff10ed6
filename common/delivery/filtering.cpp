// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/address/orcpt.hpp"
#include "common/base/time.hpp"
#include "common/delivery/copy.hpp"
#include "common/queue/spool.hpp"

// Scripts between a recipient and its mailboxes.
namespace gk::delivery {

Result<bool> Deliverer::is_filtered(const Recipient& recipient) const {
    for (const auto& target : recipient.resolution.accounts) {
        GK_TRY(const auto scripts, filter_.scripts_of(directory::home_of(paths_, target.account)));
        if (!scripts.empty()) return true;
    }
    return false;
}

Result<FilterInput> Deliverer::filter_input(const std::string& account, const Envelope& envelope,
                                            const Recipient& recipient, std::string_view message,
                                            const std::string& mailbox) const {
    FilterInput input;
    input.account = account;
    input.home = directory::home_of(paths_, account);
    GK_TRY(const auto known, directory_->find_account(account));
    if (known) input.own_name = known->name;
    input.reverse_path = envelope.reverse_path;
    input.recipient = recipient.address;
    input.original_recipient = address::parse_orcpt(recipient.orcpt).address;
    input.default_mailbox = mailbox;
    input.message = message;
    input.now_s = to_unix_s(now());
    return input;
}

void Deliverer::filter(Copy& copy, const Envelope& envelope, const Recipient& recipient, store::Account& account,
                       const std::vector<Filter::Chosen>& scripts, const std::string& mailbox, std::string_view front,
                       std::string_view message) {
    const auto failed = [&copy](const Error& error) {
        copy.answer = answer_for(error);
        copy.error = error.text;
        copy.retry_later = true;
    };
    auto input = filter_input(copy.target.account, envelope, recipient, message, mailbox);
    if (!input) return failed(input.error());
    input->store = &account;
    const auto told = spam::read_field(front);
    if (told && told->verdict != spam::Verdict::Unsure) input->spam_percent = 100 * told->score;
    Memory memory(input->home, filter_.options().remembered);
    const auto filtered = filter_.run(scripts, *input, memory);

    Arrival arrival;
    arrival.envelope.trace_id = envelope.trace_id;
    arrival.envelope.reverse_path = envelope.reverse_path;
    arrival.envelope.envid = envelope.envid;
    arrival.envelope.ret = envelope.ret;
    arrival.envelope.body = envelope.body;
    arrival.envelope.smtputf8 = envelope.smtputf8;
    arrival.envelope.require_tls = envelope.require_tls;
    arrival.orcpt = recipient.orcpt;
    arrival.notify = recipient.notify;
    arrival.been = delivered_to(message);
    arrival.max_delivered_to = options_.max_delivered_to;
    arrival.junk = told && told->verdict == spam::Verdict::Spam;
    arrival.binary = envelope.body == queue::Body::BinaryMime;
    Hands hands;
    hands.file = [&](const std::string& name, const store::IncomingMessage& kind, std::string_view bytes,
                     bool received) -> Result<Filed> {
        const auto before = received ? front : std::string_view();
        auto filed = file(account, name, kind, before, bytes);
        if (filed || filed.error().code != Errc::NotFound || name == "INBOX") return filed;
        return file(account, "INBOX", kind, before, bytes);
    };
    hands.spool = [&](const queue::Envelope& spooled, std::string_view before,
                      std::string_view bytes) -> Result<std::string> {
        GK_TRY(auto writer, queue::SpoolWriter::create(paths_.spool, spooled));
        if (!before.empty()) GK_CHECK(writer.write(before));
        GK_CHECK(writer.write(bytes));
        return writer.commit();
    };
    hands.forwarding = [this](const std::string& reverse_path, std::string_view domain) {
        return forwarding_->reverse_path(reverse_path, domain);
    };
    hands.may_send_as = [&](const std::string& address) {
        const auto may = directory_->may_send_as(copy.target.account, address);
        return may && *may;
    };
    auto done = perform(filtered, *input, arrival, memory, hands);
    if (!done.status) return failed(done.status.error());
    copy.filed = std::move(done.filed);
    copy.deeds = std::move(done.deeds);
    copy.spool_id = std::move(done.spool_id);
    if (!done.rejected.empty()) {
        copy.rejected = true;
        copy.answer = {550, "5.7.1", std::move(done.rejected)};
    }
}

Result<std::vector<Deliverer::Planned>> Deliverer::plan_filter(const std::string& account, const Envelope& envelope,
                                                               const Recipient& recipient, std::string_view message,
                                                               const std::string& mailbox) {
    std::vector<Planned> planned;
    const std::string home = directory::home_of(paths_, account);
    GK_TRY(const auto scripts, filter_.scripts_of(home));
    if (scripts.empty()) return planned;
    GK_TRY(auto input, filter_input(account, envelope, recipient, message, mailbox));
    const auto opened = accounts_.get(home, account, false);
    if (opened) input.store = opened->get();
    Memory memory(home, filter_.options().remembered);
    const auto filtered = filter_.run(scripts, input, memory);
    for (const auto& error : filtered.errors) planned.push_back({account, {}, {}, "error: " + error});
    for (const auto& action : filtered.outcome.actions) {
        Planned one{account, {}, {}, sieve::describe(action)};
        if (const auto* stored = std::get_if<sieve::Store>(&action.what))
            one.mailbox = stored->keep ? mailbox : store::canonical_name(stored->mailbox);
        else if (const auto* sent = std::get_if<sieve::Redirect>(&action.what)) one.external = sent->address;
        planned.push_back(std::move(one));
    }
    for (const auto& remark : filtered.outcome.remarks) planned.push_back({account, {}, {}, remark});
    return planned;
}

}  // namespace gk::delivery
