// SPDX-License-Identifier: MIT
#include "common/imap/search/columns.hpp"

#include "common/charset/charset.hpp"
#include "common/message/base_subject.hpp"
#include "common/message/date.hpp"
#include "common/message/header.hpp"

namespace gk::imap {

namespace {

using Kind = SortKey::Kind;
using address::Listed;

// Numbers of columns are in indexes that are there already: new ones are added at the end.
enum Number : std::uint8_t { kSent, kSubject, kFrom, kTo, kCc, kDisplayFrom, kDisplayTo };
constexpr std::uint8_t kVersion = 1;  // of all of them; raised when what is kept changes, collation included

std::string collated(std::string_view utf8) { return charset::collation_key(utf8.substr(0, kMaxSortText)); }

// addr-mailbox of the first address as ENVELOPE shows it: of a group, its name.
std::string first_mailbox(const std::vector<Listed>& list) {
    if (list.empty()) return {};
    const Listed& first = list.front();
    return collated(first.kind == Listed::Kind::GroupBegin ? first.name : first.local_part);
}

// RFC 5957, 3: the display name where it is more than white space, else the address.
std::string first_display(const std::vector<Listed>& list) {
    if (list.empty()) return {};
    const Listed& first = list.front();
    const std::string name = message::decode_text(first.name);
    if (name.find_first_not_of(" \t") != std::string::npos) return collated(name);
    if (first.domain.empty()) return collated(first.local_part);
    return collated(first.local_part + '@' + first.domain);
}

// Both numbers with the lowest byte first.
constexpr std::size_t kTimeBytes = 8, kDayBytes = 4;

void append_bytes(std::string& out, std::uint64_t number, std::size_t bytes) {
    for (; bytes > 0; --bytes, number >>= 8) out += static_cast<char>(number & 0xff);
}

std::uint64_t number_of(std::string_view bytes) {
    std::uint64_t number = 0;
    for (auto at = bytes.rbegin(); at != bytes.rend(); ++at) number = number << 8 | static_cast<unsigned char>(*at);
    return number;
}

std::string packed_date(const message::Envelope& envelope) {
    std::string out;
    const auto date = sent(envelope);
    if (!date) return out;
    append_bytes(out, static_cast<std::uint64_t>(date->utc_s), kTimeBytes);
    append_bytes(out, static_cast<std::uint32_t>(date->day), kDayBytes);
    return out;
}

store::Mailbox::Column column_of(Kind kind) {
    using message::Envelope;
    switch (kind) {
        case Kind::Cc: return {kCc, kVersion, message::kCcField, [](const Envelope& e) { return first_mailbox(e.cc); }};
        case Kind::From:
            return {kFrom, kVersion, message::kFromField, [](const Envelope& e) { return first_mailbox(e.from); }};
        case Kind::To: return {kTo, kVersion, message::kToField, [](const Envelope& e) { return first_mailbox(e.to); }};
        case Kind::DisplayFrom:
            return {kDisplayFrom, kVersion, message::kFromField,
                    [](const Envelope& e) { return first_display(e.from); }};
        case Kind::DisplayTo:
            return {kDisplayTo, kVersion, message::kToField, [](const Envelope& e) { return first_display(e.to); }};
        case Kind::Date: return {kSent, kVersion, message::kDateField, packed_date};
        default:
            return {kSubject, kVersion, message::kSubjectField, [](const Envelope& e) {
                        return e.subject ? collated(message::base_subject(*e.subject).text) : std::string();
                    }};
    }
}

}  // namespace

std::optional<Sent> sent(const message::Envelope& envelope) {
    const auto date = envelope.date ? message::parse_date(*envelope.date) : std::nullopt;
    if (!date) return std::nullopt;
    return Sent{to_unix_s(date->utc()), date->day_number()};
}

Status sent_dates(store::Mailbox& mailbox, std::span<const store::Uid> uids,
                  const std::function<void(bool, const std::optional<Sent>&)>& take) {
    return mailbox.column(column_of(Kind::Date), uids, [&](store::Uid, std::optional<std::string_view> value) {
        std::optional<Sent> date;
        if (value && value->size() == kTimeBytes + kDayBytes)
            date = Sent{static_cast<std::int64_t>(number_of(value->substr(0, kTimeBytes))),
                        static_cast<std::int32_t>(number_of(value->substr(kTimeBytes)))};
        take(value.has_value(), date);
    });
}

bool sorts_by_text(Kind kind) noexcept {
    return kind != Kind::Arrival && kind != Kind::Size && kind != Kind::Date && kind != Kind::Relevancy;
}

Status sort_texts(store::Mailbox& mailbox, Kind kind, std::span<const store::Uid> uids,
                  const std::function<void(std::string_view)>& take) {
    return mailbox.column(column_of(kind), uids, [&](store::Uid, std::optional<std::string_view> value) {
        take(value.value_or(std::string_view()));
    });
}

}  // namespace gk::imap
