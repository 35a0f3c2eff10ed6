// SPDX-License-Identifier: MIT
#include "common/message/delivery_report.hpp"

#include <algorithm>

#include "common/address/orcpt.hpp"
#include "common/base/text.hpp"
#include "common/message/decoder.hpp"
#include "common/message/header.hpp"

namespace gk::message {
namespace {

constexpr std::size_t kMostRead = 256 * 1024;  // of a part
constexpr std::size_t kLongest = 1000;         // of a value

std::string clean(std::string_view value) {
    std::string out = unfold(value.substr(0, 4 * kLongest));
    if (!text::is_utf8(out)) out = text::ascii_only(out);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; }, ' ');
    if (out.size() > kLongest) {
        out.resize(kLongest);
        while (!out.empty() && !text::is_utf8(out)) out.pop_back();
    }
    return std::string(text::trim(out));
}

// "rfc822; ann@a.test": what stands behind the type.
std::string typed(std::string_view value, std::string* type = nullptr) {
    const std::string whole = clean(value);
    const auto semicolon = whole.find(';');
    if (semicolon == std::string::npos) return whole;
    if (type != nullptr) *type = text::lower(text::trim(std::string_view(whole).substr(0, semicolon)));
    return std::string(text::trim(std::string_view(whole).substr(semicolon + 1)));
}

std::string address_of(std::string_view value) {
    std::string type, address = typed(value, &type);
    if (type == "utf-8") address = clean(address::decode_utf8_address(address));
    if (address.size() > 2 && address.front() == '<' && address.back() == '>')
        address = address.substr(1, address.size() - 2);
    return address;
}

std::string content_of(std::string_view message, const Part& part) {
    const auto size = std::min<std::uint64_t>(part.body_end - part.body_begin, kMostRead);
    return decode(message.substr(part.body_begin, size), encoding_named(part.encoding));
}

// Groups of fields, with empty lines between them: the first is about the message, each other about a recipient
// (RFC 3464, 2.1).
void read_groups(std::string_view groups, DeliveryReport& report) {
    bool is_first = true;
    while (!groups.empty()) {
        const auto begin = groups.find_first_not_of("\r\n");
        if (begin == std::string_view::npos) return;
        groups.remove_prefix(begin);
        FieldReader reader(groups);
        DeliveryReport::Recipient recipient;
        for (Field field; reader.next(field);) {
            const auto is = [&](std::string_view name) { return text::equals_nocase(field.name, name); };
            if (is("Original-Envelope-Id")) report.envelope_id = clean(field.value);
            else if (is("Reporting-MTA")) report.reporting_mta = typed(field.value);
            else if (is("Original-Recipient")) recipient.original = address_of(field.value);
            else if (is("Final-Recipient")) recipient.final = address_of(field.value);
            else if (is("Action")) recipient.action = text::lower(clean(without_comments(field.value)));
            else if (is("Status")) recipient.status = clean(without_comments(field.value));
            else if (is("Diagnostic-Code")) recipient.diagnostic = typed(field.value);
        }
        // Some write one group for both.
        const bool is_recipient = !recipient.final.empty() || !recipient.original.empty();
        if ((is_recipient || !is_first) && is_recipient && report.recipients.size() < kMostReported)
            report.recipients.push_back(std::move(recipient));
        is_first = false;
        if (reader.position() == 0) return;
        groups.remove_prefix(std::min(reader.position(), groups.size()));
    }
}

std::string message_id_in(std::string_view header) {
    const auto value = find_field(header, "Message-ID");
    return value ? clean(*value) : std::string();
}

}  // namespace

std::optional<DeliveryReport> parse_delivery_report(std::string_view message, const Limits& limits) {
    const Structure structure = scan(message, LineEnds::Convert, limits);
    const Part& root = structure.root();
    if (!root.is("multipart", "report") || root.kind != Part::Kind::Multipart) return std::nullopt;
    DeliveryReport report;
    bool found = false;
    for (std::uint32_t i = root.first_child; i != kNone; i = structure.parts[i].next_sibling) {
        const Part& part = structure.parts[i];
        if (part.is("message", "delivery-status") || part.is("message", "global-delivery-status")) {
            if (!found) read_groups(content_of(message, part), report);
            found = true;
        } else if (part.kind == Part::Kind::Message) {
            const Part& inner = structure.parts[part.first_child];
            report.message_id =
                message_id_in(message.substr(inner.header_begin, inner.body_begin - inner.header_begin));
        } else if (part.is("text", "rfc822-headers") || part.type == "message") {
            report.message_id = message_id_in(content_of(message, part));
        }
    }
    if (!found) return std::nullopt;
    return report;
}

}  // namespace gk::message
