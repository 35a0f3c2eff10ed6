// SPDX-License-Identifier: MIT
#include "common/imap/format/match.hpp"

#include <algorithm>
#include <cstring>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/message/date.hpp"
#include "common/message/decoder.hpp"
#include "common/message/header.hpp"
#include "common/message/text.hpp"

namespace gk::imap {

namespace {

using message::Part;
using message::Structure;

// Whether a field reads as it is written: no encoded words, nothing beyond ASCII.
bool is_plain(std::string_view text) noexcept {
    return is_all_ascii(text) && text.find("=?") == std::string_view::npos;
}

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

bool in_addresses(const std::vector<address::Listed>& list, const Needle& needle) {
    // The plain case, by far the most frequent: the same text, put together without an allocation each time.
    constexpr std::size_t kRoom = 1024;
    char text[kRoom];
    std::size_t used = 0;
    bool plain = true;
    const auto add = [&](std::string_view s) {
        if (s.size() > kRoom - used || !is_plain(s)) plain = false;
        if (!plain) return;
        std::memcpy(text + used, s.data(), s.size());
        used += s.size();
    };
    for (const address::Listed& a : list) {
        if (a.kind != address::Listed::Kind::Mailbox || a.name.find_first_of("\r\n\t", 0, 4) != std::string::npos)
            plain = false;
        if (!plain) break;
        if (used > 0) add(", ");
        add(a.name);
        if (!a.name.empty()) add(" ");
        add("<");
        add(a.local_part);
        add("@");
        add(a.domain);
        add(">");
    }
    return plain ? needle.in({text, used}) : needle.in(addresses_text(list));
}

std::string_view header_of(std::string_view file, const Part& part) noexcept {
    const std::uint64_t end = std::min<std::uint64_t>(part.body_begin, file.size());
    const std::uint64_t begin = std::min<std::uint64_t>(part.header_begin, end);
    return file.substr(begin, end - begin);
}

bool in_header(std::string_view block, const Needle& needle) {
    const bool plain = is_plain(block);
    if (plain && !needle.may_be_in(block)) return false;
    message::FieldReader reader(block);
    for (message::Field field; reader.next(field);) {
        if ((plain || is_plain(field.whole)) && !needle.may_be_in(field.whole)) continue;
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

bool in_window(std::string_view file, const Part& part, const Needle& needle) {
    Window window(needle);
    bool found = false;
    message::read_text(file, part, [&](std::string_view utf8) {
        found = window.feed(utf8);
        return !found;
    });
    return found;
}

// How the bytes of a charset stand for ASCII: each for itself and nothing else for one (Superset), besides that some
// characters fold to ASCII (Utf8), or not to be told without decoding.
enum class Ascii { Superset, Utf8, Unknown };
Ascii ascii_of(std::string_view charset) noexcept {
    const std::string_view name = charset::canonical_name(charset);
    if (name.empty() || name == "UTF-8") return Ascii::Utf8;
    if (name.starts_with("ISO-8859-") || name.starts_with("CP125") || name.starts_with("KOI8")) return Ascii::Superset;
    return Ascii::Unknown;
}

// Content up to here is decoded at once; what is larger goes through a window.
constexpr std::size_t kAtOnce = 1u << 20;

bool in_text_part(std::string_view file, const Part& part, const Needle& needle) {
    const Ascii ascii = ascii_of(message::raw_parameter(part.parameters, "charset"));
    const std::uint64_t end = std::min<std::uint64_t>(part.body_end, file.size());
    const std::uint64_t begin = std::min(part.body_begin, end);
    std::string_view content = file.substr(begin, end - begin);
    const auto encoding = message::encoding_named(part.encoding);
    std::string decoded;
    if (ascii == Ascii::Unknown || (encoding != message::Encoding::Identity && content.size() > kAtOnce))
        return in_window(file, part, needle);
    if (encoding != message::Encoding::Identity) content = decoded = message::decode(content, encoding);
    if (!needle.is_ascii()) return !is_all_ascii(content) && in_window(file, part, needle);
    // A malformed sequence loses none of the ASCII around it, so what is there as bytes is there as text.
    if (needle.in_ascii(content)) return true;
    if (needle.only_ascii_matches() || ascii == Ascii::Superset) return false;
    return (content.find("\xC5\xBF") != std::string_view::npos ||
            content.find("\xE2\x84\xAA") != std::string_view::npos) &&
           in_window(file, part, needle);
}

}  // namespace

bool matches_header(std::string_view header_block, std::string_view field_name, const Needle& needle) {
    message::FieldReader reader(header_block);
    for (message::Field field; reader.next(field);) {
        if (!text::equals_nocase(field.name, field_name)) continue;
        if (is_plain(field.value) && !needle.may_be_in(field.value)) continue;
        if (needle.empty() || needle.in(message::decode_text(field.value))) return true;
    }
    return false;
}

message::EnvelopeFields envelope_field(std::string_view field) noexcept {
    static constexpr std::pair<std::string_view, message::EnvelopeFields> kFields[] = {
        {"From", message::kFromField},
        {"To", message::kToField},
        {"Cc", message::kCcField},
        {"Bcc", message::kBccField},
        {"Sender", message::kSenderField},
        {"Reply-To", message::kReplyToField},
        {"Subject", message::kSubjectField},
        {"Date", message::kDateField},
        {"In-Reply-To", message::kInReplyToField},
        {"Message-ID", message::kMessageIdField}};
    for (const auto& [name, bit] : kFields)
        if (text::equals_nocase(field, name)) return bit;
    return 0;
}

std::optional<bool> matches_envelope(const message::Envelope& e, std::string_view field, const Needle& needle) {
    const auto text = [&](const std::optional<std::string>& s) {
        if (!s.has_value() || (is_plain(*s) && !needle.may_be_in(*s))) return false;
        return needle.in(message::decode_text(*s));
    };
    const auto list = [&](const std::vector<address::Listed>& l) { return !l.empty() && in_addresses(l, needle); };
    switch (envelope_field(field)) {
        case message::kFromField: return list(e.from);
        case message::kToField: return list(e.to);
        case message::kCcField: return list(e.cc);
        case message::kBccField: return list(e.bcc);
        case message::kSenderField: return list(e.sender);
        case message::kReplyToField: return list(e.reply_to);
        case message::kSubjectField: return text(e.subject);
        case message::kDateField: return text(e.date);
        case message::kInReplyToField: return text(e.in_reply_to);
        case message::kMessageIdField: return text(e.message_id);
        default: return std::nullopt;
    }
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
