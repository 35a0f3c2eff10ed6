// SPDX-License-Identifier: MIT
#include "common/imap/format/match.hpp"

#include <algorithm>
#include <cstring>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/message/date.hpp"
#include "common/message/header.hpp"
#include "common/message/text.hpp"

namespace gk::imap {

namespace {

using message::Part;
using message::Structure;

std::string addresses_text(const std::vector<address::Listed>& list) {
    std::string out;
    for (const address::Listed& a : list) {
        if (a.kind == address::Listed::Kind::GroupEnd) continue;
        if (!out.empty()) out += ", ";
        // Both spellings in which a person may look for it; the name decoded.
        out += message::decode_text(a.name);
        if (a.kind == address::Listed::Kind::GroupBegin) continue;
        if (!a.name.empty()) out += ' ';
        out += '<' + a.local_part + '@' + a.domain + '>';
    }
    return charset::valid_utf8(out);
}

std::string_view header_of(std::string_view file, const Part& part) noexcept {
    const std::uint64_t end = std::min<std::uint64_t>(part.body_begin, file.size());
    const std::uint64_t begin = std::min<std::uint64_t>(part.header_begin, end);
    return file.substr(begin, end - begin);
}

bool in_header(std::string_view block, const Needle& needle) {
    message::FieldReader reader(block);
    for (message::Field field; reader.next(field);) {
        std::string line(field.name);
        line += ": ";
        line += message::decode_text(field.value);
        if (needle.in(charset::valid_utf8(line))) return true;
    }
    return false;
}

// Feeds folded text through a window, so that a match over the seam of two chunks is found and memory stays bounded.
class Window {
public:
    explicit Window(const Needle& needle) : needle_(needle) {}

    bool feed(std::string_view utf8) {
        kept_ += charset::fold_case(utf8);
        if (needle_.in_folded(kept_)) return true;
        const std::size_t keep = std::min(kept_.size(), needle_.folded().size() - 1);
        kept_.erase(0, kept_.size() - keep);
        return false;
    }

private:
    const Needle& needle_;
    std::string kept_;
};

bool in_text_part(std::string_view file, const Part& part, const Needle& needle) {
    Window window(needle);
    bool found = false;
    message::read_text(file, part, [&](std::string_view utf8) {
        found = window.feed(utf8);
        return !found;
    });
    return found;
}

}  // namespace

Needle::Needle(std::string_view text, std::string_view charset)
    : folded_(charset::fold_case(charset::to_utf8(text, charset))), ascii_(text::is_ascii(folded_)) {}

bool Needle::in_folded(std::string_view folded) const noexcept {
    if (folded_.empty()) return true;
    return ::memmem(folded.data(), folded.size(), folded_.data(), folded_.size()) != nullptr;
}

bool Needle::in(std::string_view utf8) const {
    if (folded_.size() > utf8.size() * 3) return false;  // folding makes no text three times as long
    return in_folded(charset::fold_case(utf8));
}

bool matches_header(std::string_view header_block, std::string_view field_name, const Needle& needle) {
    message::FieldReader reader(header_block);
    for (message::Field field; reader.next(field);) {
        if (!text::equals_nocase(field.name, field_name)) continue;
        if (needle.empty() || needle.in(message::decode_text(field.value))) return true;
    }
    return false;
}

std::optional<bool> matches_envelope(const message::Envelope& e, std::string_view field, const Needle& needle) {
    const auto text = [&](const std::optional<std::string>& s) {
        return s.has_value() && needle.in(message::decode_text(*s));
    };
    const auto list = [&](const std::vector<address::Listed>& l) { return !l.empty() && needle.in(addresses_text(l)); };
    const auto is = [&](std::string_view name) { return text::equals_nocase(field, name); };
    if (is("From")) return list(e.from);
    if (is("To")) return list(e.to);
    if (is("Cc")) return list(e.cc);
    if (is("Bcc")) return list(e.bcc);
    if (is("Sender")) return list(e.sender);
    if (is("Reply-To")) return list(e.reply_to);
    if (is("Subject")) return text(e.subject);
    if (is("Date")) return text(e.date);
    if (is("In-Reply-To")) return text(e.in_reply_to);
    if (is("Message-ID")) return text(e.message_id);
    return std::nullopt;
}

bool matches_body(const Structure& structure, std::string_view file, const Needle& needle) {
    if (needle.empty()) return true;
    for (std::uint32_t i = 0; i < structure.parts.size(); ++i) {
        const Part& part = structure.parts[i];
        if (i > 0 && in_header(header_of(file, part), needle)) return true;
        if (part.kind != Part::Kind::Leaf) continue;
        const bool readable = part.type == "text" || (part.type == "multipart" && !part.opaque);
        if (readable && in_text_part(file, part, needle)) return true;
    }
    return false;
}

bool matches_text(const Structure& structure, std::string_view file, const Needle& needle) {
    return needle.empty() || in_header(header_of(file, structure.root()), needle) ||
           matches_body(structure, file, needle);
}

std::optional<int> sent_day(const message::Envelope& envelope) {
    const auto date = envelope.date ? message::parse_date(*envelope.date) : std::nullopt;
    return date ? std::optional(date->day_number()) : std::nullopt;
}

std::optional<int> parse_search_date(std::string_view s) {
    const auto parts = text::split(s, '-');
    if (parts.size() != 3 || parts[0].empty() || parts[0].size() > 2 || parts[1].size() != 3 || parts[2].size() != 4)
        return std::nullopt;
    const auto day = text::to_uint(parts[0]), year = text::to_uint(parts[2]);
    int month = 0;
    constexpr std::string_view kMonths = "janfebmaraprmayjunjulaugsepoctnovdec";
    const std::size_t at = kMonths.find(text::lower(parts[1]));
    if (at != std::string_view::npos && at % 3 == 0) month = static_cast<int>(at / 3) + 1;
    if (!day || !year || *day < 1 || *day > 31 || month == 0) return std::nullopt;
    return message::day_number(static_cast<int>(*year), month, static_cast<int>(*day));
}

}  // namespace gk::imap
