// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <set>

#include "common/base/text.hpp"
#include "common/events/record.hpp"

namespace gk::events {

namespace {

// A sentence for an event: literal text and {field}; a part in [] is left out where its field is empty.
struct Sentence {
    std::string_view event, words;
};
constexpr Sentence kSentences[] = {
    {"message.accepted",
     "accepted from <{from}>[ to <{to}>][, {recipients} recipients][, {size} bytes][, by {peer}][ ({helo})][, logged "
     "in as {actor}][, {tls}][; {spooled} to the queue]"},
    {"message.deferred", "told to try again later: {reply}[, from <{from}>][ to <{to}>][, by {peer}]"},
    {"message.refused", "refused: {reply}[, from <{from}>][ to <{to}>][, by {peer}]"},
    {"message.authenticated",
     "checked: dmarc {dmarc}[ for {author}], spf {spf}, dkim {dkim}[, arc {arc}]; {outcome}[: {reason}][, but "
     "{overrides}][, by {peer}]"},
    {"gate.judged",
     "{outcome} at the gate with {score} points[: {reason}][, from <{from}>][ to <{to}>][, by {peer}][ ({helo})]"},
    {"message.delivered",
     "filed for {account} in {mailbox}[ as UID {uid}][ as {file}][, for <{recipient}>][, from <{sender}>][, {size} "
     "bytes]"},
    {"message.spooled", "given to the queue as {queue}[, for <{recipient}>]"},
    {"sieve.action",
     "Sieve of {account}[ ({script})][, line {line}]: {action}[, given to the queue as {queue}][: {note}]"},
    {"sieve.failed", "Sieve of {account}[ ({script})][, line {line}][: {action}]: {error}"},
    {"sieve.remark", "Sieve of {account}[ ({script})]: {note}"},
    {"delivery.failed", "not delivered[ to <{recipient}>]: {error}"},
    {"queue.accepted", "in the queue as {queue}[, from <{sender}>]"},
    {"queue.delivered", "sent[ to <{recipient}>][ at {peer}][, {tls}]: {reply}"},
    {"queue.deferred", "deferred[ for <{recipient}>][ at {peer}]: {reply}[; next try {next}]"},
    {"queue.failed", "failed[ for <{recipient}>][ at {peer}]: {reply}"},
    {"queue.postponed", "postponed[ at {peer}]: {error}[; next try {next}]"},
    {"queue.bounced", "returned to <{to}> as a delivery status notification[ {dsn}]"},
    {"queue.warned", "told <{to}> of the delay[ in {dsn}]"},
    {"queue.reported", "told <{to}> of the delivery[ in {dsn}]"},
    {"queue.held", "held in the queue"},
    {"queue.released", "released"},
    {"queue.deleted", "deleted from the queue"},
    {"queue.signed", "signed for {domain}"},
    {"queue.unsigned", "not signed[ for {domain}][: {reason}][: {error}]"},
    {"queue.sealed", "sealed by {domain}"},
    {"queue.unsealed", "not sealed[ by {domain}][: {reason}]"},
    {"queue.tls", "TLS for {domain}[ at {host}][ ({peer})], policy {policy}: {result}[, {tls}][: {error}]"},
    {"queue.done", "left the queue: finished"},
};

std::string value_of(const Record& record, std::string_view name) { return text::printable(record.field(name), 300); }

// Puts the record's fields into WORDS and notes which they were; false where one is empty.
bool fill(const Record& record, std::string_view words, std::string& out, std::set<std::string_view>& used) {
    bool complete = true;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == '[') {
            const std::size_t end = words.find(']', i);
            std::string part;
            std::set<std::string_view> used_in_part;
            if (fill(record, words.substr(i + 1, end - i - 1), part, used_in_part)) out += part;
            used.merge(used_in_part);
            i = end;
        } else if (words[i] == '{') {
            const std::size_t end = words.find('}', i);
            const auto name = words.substr(i + 1, end - i - 1);
            auto value = value_of(record, name);
            if (value == "0" || (name == "recipients" && value == "1")) value.clear();  // not worth a word
            // The null reverse-path is empty and says something all the same.
            const bool null_path = (name == "from" || name == "sender") && record.has_field(name);
            if (value.empty() && !null_path) complete = false;
            out += value;
            used.insert(name);
            i = end;
        } else {
            out += words[i];
        }
    }
    return complete;
}

}  // namespace

std::string describe(const Record& record) {
    std::string out;
    std::set<std::string_view> used = {"id", "queue", "ms"};
    bool known = false;
    for (const auto& [event, words] : kSentences) {
        if (event != record.event) continue;
        fill(record, words, out, used);
        known = true;
    }
    if (!known) out = text::printable(record.event);
    for (const auto& [name, value] : record.fields)
        if (!used.contains(name)) {
            if (known && (value.empty() || value == "0")) continue;
            out += fmt::format(" {}={}", text::printable(name, 60), text::printable(value, 300));
        }
    return out;
}

}  // namespace gk::events
