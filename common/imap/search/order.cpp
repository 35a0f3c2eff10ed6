// SPDX-License-Identifier: MIT
#include "common/imap/search/order.hpp"

#include <algorithm>

#include "common/charset/charset.hpp"
#include "common/message/base_subject.hpp"
#include "common/message/date.hpp"
#include "common/message/header.hpp"

namespace gk::imap {

namespace {

using Kind = SortKey::Kind;
using address::Listed;

bool is_number(Kind kind) {
    return kind == Kind::Arrival || kind == Kind::Size || kind == Kind::Date || kind == Kind::Relevancy;
}

message::EnvelopeFields field_of(Kind kind) {
    switch (kind) {
        case Kind::Cc: return message::kCcField;
        case Kind::Date: return message::kDateField;
        case Kind::From:
        case Kind::DisplayFrom: return message::kFromField;
        case Kind::To:
        case Kind::DisplayTo: return message::kToField;
        case Kind::Subject: return message::kSubjectField;
        default: return 0;
    }
}

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

}  // namespace

std::int64_t sent_time(const store::Row& row, const message::Envelope& envelope) {
    const auto date = envelope.date ? message::parse_date(*envelope.date) : std::nullopt;
    return date ? to_unix_s(date->utc()) : row.internal_date;
}

Order::Order(std::vector<SortKey> keys) : keys_(std::move(keys)) {
    for (const SortKey& key : keys_) fields_ |= field_of(key.kind);
}

void Order::add(std::uint32_t index, const store::Row& row, const message::Envelope* envelope) {
    static const message::Envelope kNoEnvelope;
    const message::Envelope& e = envelope != nullptr ? *envelope : kNoEnvelope;
    items_.push_back({index, values_.size()});
    for (const SortKey& key : keys_) {
        Value& value = values_.emplace_back();
        switch (key.kind) {
            case Kind::Arrival: value.number = row.internal_date; break;
            case Kind::Size: value.number = static_cast<std::int64_t>(row.size); break;
            case Kind::Date: value.number = sent_time(row, e); break;
            case Kind::Cc: value.text = first_mailbox(e.cc); break;
            case Kind::From: value.text = first_mailbox(e.from); break;
            case Kind::To: value.text = first_mailbox(e.to); break;
            case Kind::DisplayFrom: value.text = first_display(e.from); break;
            case Kind::DisplayTo: value.text = first_display(e.to); break;
            case Kind::Relevancy: value.number = score_ ? -score_(row.uid) : 0; break;
            case Kind::Subject:
                if (e.subject) value.text = collated(message::base_subject(*e.subject).text);
                break;
        }
    }
}

Status Order::add_all(View& view, std::span<const std::uint32_t> indices) {
    if (!needs_envelopes()) {
        for (const std::uint32_t index : indices) add(index, view.rows()[index], nullptr);
        return ok();
    }
    std::vector<store::Uid> uids;
    for (const std::uint32_t index : indices) uids.push_back(view.rows()[index].uid);
    std::size_t next = 0;
    return view.mailbox().envelopes(
        uids,
        [&](store::Uid, const message::Envelope* envelope) {
            const std::uint32_t index = indices[next++];
            // What was expunged meanwhile still has its number in the view, and so a place.
            add(index, view.rows()[index], envelope);
            return true;
        },
        fields_);
}

bool Order::less(const Item& a, const Item& b) const noexcept {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        const Value& x = values_[a.values + i];
        const Value& y = values_[b.values + i];
        int order = 0;
        if (is_number(keys_[i].kind)) order = x.number < y.number ? -1 : x.number > y.number;
        else order = x.text.compare(y.text);
        if (order != 0) return keys_[i].reverse ? order > 0 : order < 0;
    }
    return a.index < b.index;
}

std::vector<std::uint32_t> Order::take() {
    std::sort(items_.begin(), items_.end(), [this](const Item& a, const Item& b) { return less(a, b); });
    std::vector<std::uint32_t> indices;
    indices.reserve(items_.size());
    for (const Item& item : items_) indices.push_back(item.index);
    values_.clear();
    items_.clear();
    return indices;
}

}  // namespace gk::imap
