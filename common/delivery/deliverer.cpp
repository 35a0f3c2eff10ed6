// SPDX-License-Identifier: MIT
#include "common/delivery/deliverer.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

#include "common/address/orcpt.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/config/message_limits.hpp"
#include "common/delivery/copy.hpp"
#include "common/delivery/lists.hpp"
#include "common/message/delivery_report.hpp"
#include "common/message/header.hpp"
#include "common/queue/sent.hpp"
#include "common/queue/spool.hpp"

namespace gk::delivery {

namespace {

Answer loop() { return {554, "5.4.6", "the message has been here before (Delivered-To): a mail loop"}; }

// RFC 3461, 5.2.7: to how many the recipient led decides who reports success to its sender; see queue::local_fate.
Answer delivered(const directory::Resolution& resolution, bool waits) {
    const auto count = resolution.accounts.size() + resolution.external.size();
    if (count > 1) return {250, "2.0.0", fmt::format("{} to {} addresses", queue::kExpanded, count)};
    return {250, "2.0.0", std::string(resolution.external.empty() && !waits ? "delivered" : queue::kForwarded)};
}

// What those that an alias stands for are asked to report: success is reported for the alias alone.
unsigned notify_of_members(const Recipient& recipient) {
    if (recipient.resolution.accounts.size() + recipient.resolution.external.size() == 1) return recipient.notify;
    if (recipient.notify == queue::kNotifySuccess) return queue::kNotifyNever;
    return recipient.notify & ~static_cast<unsigned>(queue::kNotifySuccess);
}

}  // namespace

Answer answer_for(const Error& error) {
    if (error.code == Errc::Temporary && error.os_errno == ENOSPC)
        return {452, "4.3.1", "no space left, try again later"};
    if (error.os_errno == EDQUOT) return {452, "4.2.2", "mailbox full"};
    return kNotNow;
}

// The values of all Delivered-To fields, canonical where they are addresses.
std::vector<std::string> delivered_to(std::string_view message) {
    std::vector<std::string> found;
    message::FieldReader fields(message.substr(0, message::header_length(message)));
    message::Field field;
    while (fields.next(field)) {
        if (!text::equals_nocase(field.name, "Delivered-To")) continue;
        const auto value = text::trim(field.value);
        auto canonical = directory::canonical_address(value);
        found.push_back(canonical ? std::move(*canonical) : text::lower(value));
    }
    return found;
}

Options Options::from(const config::Config& config) {
    Options options;
    options.delimiter = config.string("delivery.subaddress_delimiter");
    const std::string& subaddress = config.string("delivery.subaddress_mailbox");
    options.subaddress = subaddress == "never"    ? Subaddress::Never
                         : subaddress == "create" ? Subaddress::Create
                                                  : Subaddress::Existing;
    options.lists = directory::Limits::from(config);
    options.parallel = static_cast<std::size_t>(config.integer("delivery.parallel"));
    options.open_accounts = static_cast<std::size_t>(config.integer("delivery.open_accounts"));
    options.max_delivered_to = static_cast<std::size_t>(config.integer("delivery.max_delivered_to"));
    options.sync.group_from = static_cast<std::size_t>(config.integer("delivery.group_flush_from"));
    options.sync.gather = std::chrono::microseconds(config.integer("delivery.gather_us"));
    options.sync.max_open_mailboxes = options.open_accounts;
    options.known_reports_only =
        config.string("delivery.bounces") == "known" && config.duration_s("queue.remember_sent") > 0;
    config::read_message_limits(config, options.message);
    return options;
}

Deliverer::Deliverer(const config::Config& config, Options options)
    : paths_(config.paths()),
      options_(std::move(options)),
      changes_(paths_.run + "/changes.sock"),
      writer_(options_.sync),
      accounts_(options_.open_accounts, &changes_, &writer_, options_.message),
      spam_(config),
      filter_(FilterOptions::from(config)) {}

Result<std::unique_ptr<Deliverer>> Deliverer::open(const config::Config& config, Index index) {
    auto options = Options::from(config);
    GK_TRY(options.warnings, QuotaWarnings::from(config));
    std::unique_ptr<Deliverer> deliverer(new Deliverer(config, std::move(options)));
    deliverer->index_ = index;
    GK_TRY(deliverer->directory_, directory::Directory::open(config.paths(), true, directory::Limits::from(config)));
    deliverer->forwarding_.emplace(config, deliverer->directory_);
    return deliverer;
}

Result<std::shared_ptr<store::Account>> Deliverer::account(const std::string& address) {
    return accounts_.get(directory::home_of(paths_, address), address, true);
}

Answer Deliverer::check(Recipient& recipient, std::uint64_t size, const std::optional<std::string>& sender) {
    auto resolved = directory_->resolve(recipient.address);
    // What comes back to a sender that we rewrote goes on to the sender that it was, whatever catch-all there is.
    if (resolved && resolved->kind != directory::Resolution::Kind::NotLocal) {
        if (auto original = forwarding_->original(recipient.address)) {
            if (!*original && original->error().code == Errc::Temporary) return kNotNow;
            if (!*original)
                return {550, "5.7.1", "a rewritten sender's address that is not ours: " + original->error().text};
            // Reports come back to it, and those have no sender: anything else would be relayed.
            if (sender && !sender->empty()) return {550, "5.7.1", "a rewritten sender's address takes reports alone"};
            recipient.resolution = {};
            recipient.resolution.kind = directory::Resolution::Kind::Found;
            recipient.resolution.through_alias = true;
            recipient.resolution.external = {std::move(**original)};
            return {250, "2.1.5", "recipient ok"};
        }
    }
    if (!resolved) {
        if (resolved.error().code == Errc::BadInput) return {553, "5.1.3", "not an address"};
        if (resolved.error().code == Errc::Permanent) return {554, "5.4.6", "aliases lead in a circle, or to too many"};
        return kNotNow;
    }
    recipient.resolution = std::move(*resolved);
    switch (recipient.resolution.kind) {
        case directory::Resolution::Kind::NotLocal: return {551, "5.7.1", "not one of our domains"};
        case directory::Resolution::Kind::NoSuchUser: return {550, "5.1.1", "no such user"};
        case directory::Resolution::Kind::Found: break;
    }
    if (sender && !recipient.resolution.lists.empty()) {
        Answer answer = check_lists(recipient.resolution.lists, *sender);
        if (!answer.positive()) return answer;
    }
    // For an alias to many a full mailbox is found out at delivery, per account.
    if (recipient.resolution.accounts.size() == 1 && recipient.resolution.external.empty() &&
        recipient.resolution.lists.empty()) {
        const std::string& address = recipient.resolution.accounts.front().account;
        const auto quota = quota_of(address);
        if (!quota) return kNotNow;
        recipient.quota = *quota;
        Answer answer = over_quota(address, *quota, size);
        if (!answer.positive()) return answer;
    }
    return {250, "2.1.5", "recipient ok"};
}

// One recipient out of our domains, or one of ours whose copy has to wait.
struct Leaving {
    queue::Recipient to;
    std::vector<std::size_t> recipients;  // whom it serves
    std::string reverse_path;
};

Result<std::string> Deliverer::spool(const Envelope& envelope, std::vector<queue::Recipient> recipients,
                                     std::string_view front, std::string_view message) {
    queue::Envelope spooled;
    spooled.trace_id = envelope.trace_id;
    spooled.reverse_path = envelope.reverse_path;
    spooled.envid = envelope.envid;
    spooled.ret = envelope.ret;
    spooled.body = envelope.body;
    spooled.smtputf8 = envelope.smtputf8;
    spooled.require_tls = envelope.require_tls;
    spooled.recipients = std::move(recipients);
    GK_TRY(auto writer, queue::SpoolWriter::create(paths_.spool, spooled));
    if (!front.empty()) GK_CHECK(writer.write(front));
    if (!envelope.front.empty()) GK_CHECK(writer.write(envelope.front));
    GK_CHECK(writer.write(message));
    return writer.commit();
}

// gk-queue knows what was sent: it ties a report (RFC 3464) to that. True where the report is about nothing that its
// one account sent; never for want of an answer.
bool Deliverer::is_unknown_report(const std::vector<Copy>& copies, const Envelope& envelope,
                                  std::string_view message) const {
    if (!envelope.reverse_path.empty()) return false;
    const auto report = message::parse_delivery_report(message, options_.message);
    if (!report) return false;
    bool any_known = copies.size() != 1;
    for (const Copy& copy : copies) {
        const auto known = queue::tell_of_report(paths_.run + "/queue.sock", copy.target.account, *report);
        any_known |= !known || *known;
        if (!known)
            log::Event("delivery.report_untold", log::Level::Debug)
                .field("id", envelope.trace_id)
                .field("error", known.error().text);
    }
    return !any_known;
}

std::vector<Outcome> Deliverer::deliver(const Envelope& envelope, const std::vector<Recipient>& recipients,
                                        std::string_view message, std::string_view mailbox) {
    Lists lists;
    // Nobody but us says what we think of it.
    const auto honest = spam::without_field(message);
    return deliver(envelope, recipients, honest ? *honest : message, mailbox, lists);
}

std::vector<Outcome> Deliverer::deliver(const Envelope& envelope, const std::vector<Recipient>& recipients,
                                        std::string_view message, std::string_view mailbox, Lists& lists) {
    std::vector<Outcome> outcomes(recipients.size());
    std::vector<Copy> copies;
    std::vector<Leaving> leaving;
    std::string front;  // Delivered-To of the aliases that lead out, by which a loop is known
    std::optional<std::vector<std::string>> been;

    for (std::size_t i = 0; i < recipients.size(); ++i) {
        const Recipient& recipient = recipients[i];
        const auto& leads_to = recipient.resolution;
        if (leads_to.accounts.empty() && leads_to.external.empty() && leads_to.lists.empty()) {
            outcomes[i].answer = {550, "5.1.1", "no such user"};
            continue;
        }
        if (!recipient.resolution.external.empty()) {
            if (!been) been = delivered_to(message);
            auto canonical = directory::canonical_address(recipient.address);
            const std::string& address = canonical ? *canonical : recipient.address;
            if (been->size() > options_.max_delivered_to ||
                std::find(been->begin(), been->end(), address) != been->end()) {
                outcomes[i].answer = loop();
                continue;
            }
            front += fmt::format("Delivered-To: {}\r\n", address);
        }
        std::string reverse_path = envelope.reverse_path;
        if (!recipient.resolution.external.empty()) {
            auto rewritten = forwarding_->reverse_path(reverse_path, directory::domain_of(recipient.address));
            if (!rewritten) {
                outcomes[i].answer = answer_for(rewritten.error());
                outcomes[i].error = rewritten.error().text;
                continue;
            }
            reverse_path = std::move(*rewritten);
        }
        for (const auto& target : recipient.resolution.accounts) {
            const auto same =
                std::find_if(copies.begin(), copies.end(), [&](const Copy& c) { return c.target == target; });
            if (same == copies.end()) copies.push_back({.target = target, .recipients = {i}, .quota = recipient.quota});
            else same->recipients.push_back(i);
        }
        for (const auto& external : recipient.resolution.external) {
            leaving.push_back(
                {{.address = external,
                  .orcpt = recipient.orcpt.empty() ? address::make_orcpt(recipient.address) : recipient.orcpt,
                  .notify = notify_of_members(recipient)},
                 {i},
                 reverse_path});
        }
    }

    const auto send = [&](std::vector<Leaving> all) {
        // A file of the spool has one reverse-path: most often there is one for all.
        std::stable_sort(all.begin(), all.end(),
                         [](const auto& a, const auto& b) { return a.reverse_path < b.reverse_path; });
        for (std::size_t n = 0, end = 0; n < all.size(); n = end) {
            std::vector<queue::Recipient> together;
            for (end = n; end < all.size() && all[end].reverse_path == all[n].reverse_path; ++end)
                together.push_back(all[end].to);
            Envelope leaves = envelope;
            leaves.reverse_path = all[n].reverse_path;
            const auto id = spool(leaves, std::move(together), front, message);
            for (std::size_t at = n; at < end; ++at) {
                for (const std::size_t i : all[at].recipients) {
                    if (id) {
                        outcomes[i].spool_id = *id;
                    } else {
                        outcomes[i].answer = answer_for(id.error());
                        outcomes[i].error = id.error().text;
                    }
                }
            }
        }
    };
    // What leaves comes first: where the spool takes nothing, nobody has anything yet that the next try would give him
    // again.
    send(std::exchange(leaving, {}));
    std::erase_if(copies, [&](const Copy& copy) {
        return std::none_of(copy.recipients.begin(), copy.recipients.end(),
                            [&](std::size_t i) { return outcomes[i].answer.positive(); });
    });

    if (is_unknown_report(copies, envelope, message) && options_.known_reports_only) {
        copies.front().answer = {550, "5.7.1", "a report about a message that was not sent from here"};
    } else if (!copies.empty()) {
        // Flushes of different accounts wait side by side.
        std::atomic<std::size_t> next{0};
        const auto work = [&] {
            for (std::size_t at; (at = next++) < copies.size();) {
                Copy& copy = copies[at];
                try {
                    write(copy, envelope, recipients[copy.recipients.front()], message, mailbox);
                } catch (const std::exception& error) {  // memory exhausted, or a bug: the other copies go on
                    copy.answer = kNotNow;
                    copy.error = error.what();
                    copy.retry_later = true;
                }
            }
        };
        std::vector<std::thread> others;
        try {
            for (std::size_t n = 1; n < std::min(options_.parallel, copies.size()); ++n) others.emplace_back(work);
        } catch (const std::system_error&) {  // no thread to be had: those that run, and we, do it all
        }
        work();
        for (auto& thread : others) thread.join();
    }
    for (const Copy& copy : copies) {
        if (!copy.answer.positive() || copy.filed.empty() || !copy.quota) continue;
        if (const auto opened = account(copy.target.account))
            warn_of_quotas(**opened, copy.target.account, *copy.quota, message.size());
    }

    // A recipient that stands for several, of whom some have the message now, is not answered 4yz: they would get it
    // again. What failed goes the way of mail that leaves, and gk-queue brings it to the account later; one copy serves
    // all that it is for.
    const auto is_one_of_several = [&](std::size_t i) {
        const auto& to = recipients[i].resolution;
        return lists.depth > 0 || to.accounts.size() + to.external.size() + to.lists.size() > 1;
    };
    std::vector<bool> some(recipients.size()), waits(recipients.size());
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        const auto& to = recipients[i].resolution;
        some[i] = outcomes[i].answer.positive() && (lists.depth > 0 || !to.external.empty() || !to.lists.empty());
    }
    for (const Copy& copy : copies)
        if (copy.answer.positive() || copy.rejected)  // a report of the rejection goes, and is not to go twice
            for (const std::size_t i : copy.recipients) some[i] = true;
    for (Copy& copy : copies) {
        const auto& serves = copy.recipients;
        if (copy.answer.positive() || !copy.retry_later ||
            std::none_of(serves.begin(), serves.end(), [&](std::size_t i) { return some[i]; }))
            continue;
        const auto alone = std::find_if_not(serves.begin(), serves.end(), is_one_of_several);
        const auto i = alone == serves.end() ? serves.front() : *alone;
        waits[i] = true;
        leaving.push_back(
            {{.address = copy.target.account, .orcpt = recipients[i].orcpt, .notify = notify_of_members(recipients[i])},
             serves,
             envelope.reverse_path});
        copy.answer = {};
    }
    // A script refuses for one account: where others have the message, or will, its sender is told by a DSN (RFC 5429,
    // 2.1.2), since the reply would speak for all of them.
    for (Copy& copy : copies) {
        if (!copy.rejected) continue;
        const auto reply = fmt::format("{} {} {}", copy.answer.code, copy.answer.enhanced, copy.answer.text);
        for (const std::size_t i : copy.recipients) {
            if (!is_one_of_several(i)) {
                outcomes[i].answer = copy.answer;
                continue;
            }
            leaving.push_back({{.address = recipients[i].address,
                                .orcpt = recipients[i].orcpt,
                                .notify = recipients[i].notify,
                                .failed = reply},
                               {i},
                               envelope.reverse_path});
        }
        copy.answer = {};
    }
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        for (const auto& list : recipients[i].resolution.lists) {
            if (!outcomes[i].answer.positive()) break;
            if (lists.depth == 0) lists.members = 0;
            Outcome sent = deliver_to_list(list, envelope, message, lists);
            auto& filed = outcomes[i].filed;
            filed.insert(filed.end(), sent.filed.begin(), sent.filed.end());
            outcomes[i].deeds.insert(outcomes[i].deeds.end(), sent.deeds.begin(), sent.deeds.end());
            if (!sent.spool_id.empty()) outcomes[i].spool_id = sent.spool_id;
            if (!sent.error.empty()) outcomes[i].error = sent.error;
            lists.done[list] = sent.answer;
            if (sent.answer.positive()) continue;
            if (sent.answer.code < 500 && is_one_of_several(i)) {
                leaving.push_back(
                    {{.address = list, .orcpt = recipients[i].orcpt, .notify = notify_of_members(recipients[i])},
                     {i},
                     envelope.reverse_path});
                lists.done[list] = {};
            } else {
                outcomes[i].answer = sent.answer;
            }
        }
    }
    send(std::move(leaving));
    for (const Copy& copy : copies) {
        for (const std::size_t i : copy.recipients) {
            if (!copy.answer.positive()) outcomes[i].answer = copy.answer;
            if (!copy.error.empty()) outcomes[i].error = copy.error;
        }
        Outcome& outcome = outcomes[copy.recipients.front()];
        outcome.filed.insert(outcome.filed.end(), copy.filed.begin(), copy.filed.end());
        outcome.deeds.insert(outcome.deeds.end(), copy.deeds.begin(), copy.deeds.end());
        if (!copy.spool_id.empty()) outcome.spool_id = copy.spool_id;
    }
    for (std::size_t i = 0; i < outcomes.size(); ++i)
        if (outcomes[i].answer.positive()) outcomes[i].answer = delivered(recipients[i].resolution, waits[i]);
    return outcomes;
}

Result<std::vector<Deliverer::Planned>> Deliverer::plan(const Recipient& recipient, std::string_view wanted,
                                                        const Envelope* envelope, std::string_view message) {
    std::vector<Planned> planned;
    for (const auto& target : recipient.resolution.accounts) {
        // Looking must not make anything: an account that is not there yet will have its default mailboxes.
        std::string mailbox = wanted.empty() ? "INBOX" : store::canonical_name(wanted);
        if (const auto opened = accounts_.get(directory::home_of(paths_, target.account), target.account, false)) {
            if (!target.detail.empty() && wanted.empty() && options_.subaddress == Options::Subaddress::Create) {
                const std::string name = store::canonical_name(target.detail);
                if (store::check_name(name)) mailbox = name;
            } else {
                GK_TRY(mailbox, choose_mailbox(**opened, target.detail, wanted));
            }
        } else if (opened.error().code != Errc::NotFound) {
            return fail(opened.error());
        }
        if (envelope != nullptr && wanted.empty()) {
            GK_TRY(const auto decided, plan_filter(target.account, *envelope, recipient, message, mailbox));
            planned.insert(planned.end(), decided.begin(), decided.end());
            if (!decided.empty()) continue;
        }
        planned.push_back({target.account, mailbox, {}});
    }
    for (const auto& external : recipient.resolution.external) planned.push_back({{}, {}, external});
    for (const auto& list : recipient.resolution.lists) planned.push_back({{}, {}, "list " + list});
    return planned;
}

}  // namespace gk::delivery
