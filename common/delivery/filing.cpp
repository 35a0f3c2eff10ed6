// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/delivery/copy.hpp"
#include "common/message/quarantine.hpp"
#include "common/store/incoming.hpp"

// One copy into one account: which mailbox, what stands in front of the message, whether a script decides.
namespace gk::delivery {

Result<std::string> Deliverer::choose_mailbox(store::Account& account, const std::string& detail,
                                              std::string_view wanted) {
    if (!wanted.empty()) {
        const std::string name = store::canonical_name(wanted);
        GK_CHECK(account.find(name));
        return name;
    }
    if (detail.empty() || options_.subaddress == Options::Subaddress::Never) return std::string("INBOX");
    const std::string name = store::canonical_name(detail);
    // Whatever stands behind the delimiter is the sender's choice: a name that cannot be is no error of the owner's.
    if (!store::check_name(name)) return std::string("INBOX");
    if (const auto there = account.find(name); there && there->exists) return name;
    GK_TRY(auto spelled, account.find_any_case(name));
    if (!spelled.empty()) return spelled;
    if (options_.subaddress == Options::Subaddress::Create) {
        const Status made = account.create(name);
        if (made || made.error().code == Errc::Exists) return name;
    }
    return std::string("INBOX");
}

// The mailbox whose use that is (RFC 6154), else one of that name; an account without either gets it into its INBOX.
Result<std::string> Deliverer::junk_of(store::Account& account) {
    GK_TRY(auto used, account.find_special_use("\\Junk"));
    if (!used.empty()) return used;
    GK_TRY(auto named, account.find_any_case("Junk"));
    return named.empty() ? std::string("INBOX") : std::move(named);
}

Result<Filed> Deliverer::file(store::Account& account, const std::string& mailbox, const store::IncomingMessage& kind,
                              std::string_view front, std::string_view message) {
    GK_TRY(auto incoming, account.incoming(mailbox));
    GK_CHECK(incoming.begin(kind));
    GK_CHECK(incoming.write(front));
    GK_CHECK(incoming.write(message));
    GK_TRY(auto appended, incoming.commit(index_ == Index::Soon ? &indexer_ : nullptr));
    usage_.add(directory::domain_of(account.name()), front.size() + message.size());
    return Filed{account.name(), mailbox, std::move(appended.names.front()),
                 appended.uids.empty() ? 0 : appended.uids.front()};
}

void Deliverer::write(Copy& copy, const Envelope& envelope, const Recipient& recipient, std::string_view message,
                      std::string_view wanted) {
    const auto failed = [&copy](const Error& error) {
        copy.answer = answer_for(error);
        copy.error = error.text;
        copy.retry_later = true;
    };
    if (!copy.quota) {
        const auto quota = quota_of(copy.target.account);
        if (!quota) return failed(quota.error());
        copy.quota = *quota;
    }
    copy.answer = over_quota(copy.target.account, *copy.quota, message.size());
    if (!copy.answer.positive()) {
        copy.retry_later = true;
        copy.error = copy.answer.text;
        return;
    }
    const auto opened = account(copy.target.account);
    if (!opened) return failed(opened.error());
    std::string address = copy.target.account;
    if (!copy.target.detail.empty())
        address = fmt::format("{}{}{}@{}", directory::local_part_of(address), options_.delimiter, copy.target.detail,
                              directory::domain_of(address));
    // RFC 5321, 4.4: final delivery puts the reverse-path in front.
    std::string trace = fmt::format("Return-Path: <{}>\r\nDelivered-To: {}\r\n", envelope.reverse_path, address);
    const auto opinion = spam_.of((*opened)->home(), trace + envelope.front, message);
    trace += opinion.field;
    const std::string front = trace + envelope.front;
    const bool quarantined = wanted.empty() && envelope.from_gk && message::is_quarantined(message);
    const bool junk = quarantined || (wanted.empty() && opinion.junk);
    auto mailbox = junk ? junk_of(**opened) : choose_mailbox(**opened, copy.target.detail, wanted);
    if (!mailbox) return failed(mailbox.error());
    store::IncomingMessage kind;
    kind.binary = envelope.body == queue::Body::BinaryMime;
    if (wanted.empty() && !quarantined) {  // of spam a script may think otherwise
        const auto scripts = filter_.scripts_of(directory::home_of(paths_, copy.target.account));
        if (!scripts) return failed(scripts.error());
        if (!scripts->empty()) {
            // What a list put in front is the message's own, for scripts too.
            const std::string whole = envelope.front.empty() ? "" : envelope.front + std::string(message);
            return filter(copy, envelope, recipient, **opened, *scripts, *mailbox, trace,
                          whole.empty() ? message : whole);
        }
    }
    auto filed = file(**opened, *mailbox, kind, front, message);
    // The mailbox went away between our look and the delivery: INBOX never does.
    if (!filed && filed.error().code == Errc::NotFound && *mailbox != "INBOX" && wanted.empty())
        filed = file(**opened, "INBOX", kind, front, message);
    if (!filed) return failed(filed.error());
    copy.filed.push_back(std::move(*filed));
}

}  // namespace gk::delivery
