// SPDX-License-Identifier: MIT
#include "common/delivery/lists.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"

namespace gk::delivery {

namespace {

const Answer kLoop{554, "5.4.6", "the message has been on this list before (List-Id): a mail loop"};
const Answer kTrouble{451, "4.3.0", "cannot reach the list now, try again later"};

Outcome failed(Answer answer, std::string error) { return {std::move(answer), {}, {}, std::move(error)}; }

}  // namespace

Answer Deliverer::check_lists(const std::vector<std::string>& lists, const std::string& sender) {
    for (const auto& address : lists) {
        const auto list = directory_->find_alias(address);
        if (!list) return kTrouble;
        if (!*list || !(*list)->list) continue;  // changed meanwhile; delivery will see
        // Reports go to a list's owner, who is its messages' reverse-path: what comes to the list itself comes by
        // mistake.
        if (sender.empty()) return {550, "5.7.1", "a mailing list takes no reports"};
        const auto may = directory_->may_post(**list, sender);
        if (!may) return kTrouble;
        if (!*may) return {550, "5.7.1", fmt::format("'{}' may not write to this list", text::printable(sender))};
    }
    return {};
}

// A message of the list's own (RFC 5321, 3.9.2): its owner is the reverse-path, and what the sender asked to be told of
// ends here.
Outcome Deliverer::deliver_to_list(const std::string& address, const Envelope& envelope, std::string_view message,
                                   Lists& lists) {
    if (const auto [before, first] = lists.done.try_emplace(address); !first) return {before->second, {}, {}, {}};
    const auto found = directory_->find_alias(address);
    if (!found || !*found || !(*found)->list)
        return failed(kTrouble, found ? "no list any more: " + address : found.error().text);
    const directory::Alias& list = **found;
    if (list_id_of(message) == list_id(list)) return failed(kLoop, kLoop.text);
    const auto members = directory_->members_of(address);
    if (!members) return failed(members.error().code == Errc::Permanent ? kLoop : kTrouble, members.error().text);
    if (members->accounts.empty() && members->external.empty() && members->lists.empty())
        return failed({550, "5.1.1", "the list has no members"}, "no member of " + address + " is there any more");
    lists.members += members->accounts.size() + members->external.size();
    const auto& limits = options_.lists;
    if (lists.depth >= static_cast<std::size_t>(limits.alias_depth) ||
        lists.members > static_cast<std::size_t>(limits.alias_size))
        return failed({554, "5.4.6", "lists lead too deep, or to too many"}, "too deep or too many");

    Envelope own = envelope;
    own.reverse_path = list.list->owner;
    own.envid.clear();
    own.ret = queue::Ret::Unset;
    own.front = list_fields(list);
    const auto without = without_list_fields(message);
    Recipient recipient;
    recipient.address = address;
    recipient.resolution = *members;
    ++lists.depth;
    auto outcomes = deliver(own, {recipient}, without ? std::string_view(*without) : message, {}, lists);
    --lists.depth;
    return std::move(outcomes.front());
}

}  // namespace gk::delivery
