// SPDX-License-Identifier: MIT
#include "common/message/fields.hpp"

#include "common/base/text.hpp"
#include "common/message/header.hpp"

namespace gk::message {

namespace {

// The first of several fields counts, as in every other program that shows mail; addresses of all count.
void set(std::optional<std::string>& slot, std::string_view value, const Limits& limits) {
    if (!slot) slot = unfold(value, limits.header_line);
}

void add(std::vector<address::Listed>& list, std::string_view value, const Limits& limits) {
    if (list.size() >= address::kMaxListed) return;
    auto more = address::parse_list(value.substr(0, limits.header_line));
    if (list.empty()) list = std::move(more);
    else list.insert(list.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

void add_to_envelope(Envelope& envelope, const Field& field, const Limits& limits) {
    const auto is = [&](std::string_view name) { return text::equals_nocase(field.name, name); };
    switch (field.name.size()) {
        case 2:
            if (is("To")) add(envelope.to, field.value, limits);
            if (is("Cc")) add(envelope.cc, field.value, limits);
            break;
        case 3:
            if (is("Bcc")) add(envelope.bcc, field.value, limits);
            break;
        case 4:
            if (is("From")) add(envelope.from, field.value, limits);
            if (is("Date")) set(envelope.date, field.value, limits);
            break;
        case 6:
            if (is("Sender")) add(envelope.sender, field.value, limits);
            break;
        case 7:
            if (is("Subject")) set(envelope.subject, field.value, limits);
            break;
        case 8:
            if (is("Reply-To")) add(envelope.reply_to, field.value, limits);
            break;
        case 10:
            if (is("Message-ID")) set(envelope.message_id, field.value, limits);
            break;
        case 11:
            if (is("In-Reply-To")) set(envelope.in_reply_to, field.value, limits);
            break;
        default: break;
    }
}

Envelope parse_envelope(std::string_view header_block, const Limits& limits) {
    Envelope envelope;
    FieldReader reader(header_block.substr(0, limits.header_block));
    for (Field field; reader.next(field);) add_to_envelope(envelope, field, limits);
    return envelope;
}

}  // namespace gk::message
