// SPDX-License-Identifier: MIT
#include "common/imap/format/section.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "common/base/text.hpp"
#include "common/message/header.hpp"

namespace gk::imap {

namespace {

using message::LineEnds;
using message::Part;
using message::Structure;

// What a section is before a partial cuts it: a range of the file, or bytes made from it.
struct Range {
    std::uint64_t begin = 0, end = 0;
    std::uint64_t octets = 0;
};

// What of a header HEADER.FIELDS looks at; as far as the scanner reads fields.
constexpr std::size_t kMaxFiltered = 1u << 20;

bool splits_crlf(std::string_view file, std::uint64_t at) noexcept {
    return at > 0 && at < file.size() && file[at] == '\n' && file[at - 1] == '\r';
}

// Moves from AT in the file over WANTED octets of the wire, not past END. HALF is set where that ends between the CR
// and the LF that one bare LF becomes.
std::uint64_t skip_octets(std::string_view file, std::uint64_t at, std::uint64_t end, std::uint64_t wanted,
                          bool& half) noexcept {
    half = false;
    bool after_cr = at > 0 && at < file.size() && file[at - 1] == '\r' && file[at] == '\n';
    while (wanted > 0 && at < end) {
        const std::uint64_t span = std::min<std::uint64_t>(end - at, wanted);
        const void* found = std::memchr(file.data() + at, '\n', span);
        if (found == nullptr) {
            at += span, wanted -= span;
            after_cr = file[at - 1] == '\r';
            continue;
        }
        const std::uint64_t newline = static_cast<std::uint64_t>(static_cast<const char*>(found) - file.data());
        if (newline > at) after_cr = file[newline - 1] == '\r';
        wanted -= newline - at;
        at = newline;
        if (wanted == 0) return at;
        if (!after_cr) {
            if (wanted == 1) {
                half = true;
                return at;
            }
            --wanted;
        }
        --wanted;
        ++at;
        after_cr = false;
    }
    return at;
}

void push_own(Content& content, std::string bytes) {
    if (!bytes.empty()) content.pieces.push_back({.own = std::move(bytes)});
}

// A slice, whose first LF a CR before the slice may belong to.
void push_slice(Content& content, std::string_view file, std::uint64_t begin, std::uint64_t end, bool convert) {
    if (begin >= end) return;
    if (convert && splits_crlf(file, begin)) push_own(content, "\n"), ++begin;
    if (begin < end) content.pieces.push_back({.own = {}, .begin = begin, .end = end, .to_crlf = convert});
}

Content from_range(std::string_view file, const Range& range, const std::optional<Partial>& partial) {
    Content content;
    // Equal numbers: nothing grows on the way out, and octets are bytes.
    const bool convert = range.octets != range.end - range.begin;
    if (!partial) {
        content.octets = range.octets;
        push_slice(content, file, range.begin, range.end, convert);
        return content;
    }
    if (partial->offset >= range.octets || partial->length == 0) return content;
    content.octets = std::min(partial->length, range.octets - partial->offset);
    if (!convert) {
        push_slice(content, file, range.begin + partial->offset, range.begin + partial->offset + content.octets, false);
        return content;
    }
    bool half = false;
    std::uint64_t begin = skip_octets(file, range.begin, range.end, partial->offset, half);
    std::uint64_t left = content.octets;
    if (half) push_own(content, "\n"), ++begin, --left;
    const std::uint64_t end = skip_octets(file, begin, range.end, left, half);
    push_slice(content, file, begin, end, true);
    if (half) push_own(content, "\r");
    return content;
}

Content from_bytes(std::string bytes, const std::optional<Partial>& partial) {
    Content content;
    if (partial)
        bytes = partial->offset >= bytes.size() ? std::string() : bytes.substr(partial->offset, partial->length);
    content.octets = bytes.size();
    push_own(content, std::move(bytes));
    return content;
}

// HEADER.FIELDS: the wanted fields as they are, and an empty line always (RFC 3501, 6.4.5).
std::string filter_header(const Structure& structure, std::string_view block, const Section& section) {
    const bool wanted = section.text == Section::Text::HeaderFields;
    std::set<std::string, std::less<>> names;
    for (const std::string& field : section.fields) names.insert(text::lower(field));
    std::string kept;
    message::FieldReader reader(block);
    for (message::Field field; reader.next(field);) {
        if (names.contains(text::lower(field.name.substr(0, 1000))) != wanted) continue;
        kept += field.whole;
        if (!kept.ends_with('\n')) kept += "\r\n";
    }
    std::string out;
    if (structure.line_ends == LineEnds::Convert) {
        CrlfWriter().feed(kept, out);
    } else {
        out = std::move(kept);
    }
    return out += "\r\n";
}

// The part whose header is the HEADER of what NUMBERS name: the message itself, or the one that a message/rfc822
// encloses.
std::uint32_t message_of(const Structure& structure, const Section& section, std::uint32_t part) noexcept {
    if (section.part.empty()) return part;
    return structure.parts[part].kind == Part::Kind::Message ? structure.parts[part].first_child : message::kNone;
}

}  // namespace

// section-part: part 1 of what is no multipart is its body; numbers inside a message/rfc822 count in the enclosed
// message.
std::uint32_t find_part(const Structure& structure, const std::vector<std::uint32_t>& numbers) {
    std::uint32_t at = 0;
    bool leaf_one = false;  // the "1" that names a non-multipart message's only body was used
    bool first = true;
    for (const std::uint32_t number : numbers) {
        if (leaf_one || number == 0) return message::kNone;
        const Part* part = &structure.parts[at];
        const bool inside = !std::exchange(first, false);
        if (inside && part->kind == Part::Kind::Message) {
            at = part->first_child;
            part = &structure.parts[at];
        } else if (inside && part->kind != Part::Kind::Multipart) {
            return message::kNone;
        }
        if (part->kind != Part::Kind::Multipart) {
            if (number != 1) return message::kNone;
            leaf_one = part->kind == Part::Kind::Leaf;
            continue;
        }
        std::uint32_t child = part->first_child;
        for (std::uint32_t i = 1; i < number && child != message::kNone; ++i)
            child = structure.parts[child].next_sibling;
        if (child == message::kNone) return message::kNone;
        at = child;
    }
    return at;
}

std::optional<Content> find_section(const Structure& structure, std::string_view file, const Section& section,
                                    std::optional<Partial> partial) {
    // A cached structure of other bytes would promise octets that are not there.
    if (structure.root().body_end != file.size())
        return find_section(message::scan(file, structure.line_ends), file, section, partial);
    const std::uint32_t index = find_part(structure, section.part);
    if (index == message::kNone) return std::nullopt;
    const Part& part = structure.parts[index];
    const auto header = [](const Part& p) { return Range{p.header_begin, p.body_begin, p.header_octets}; };
    const auto body = [](const Part& p) { return Range{p.body_begin, p.body_end, p.body_octets}; };
    using Text = Section::Text;
    if (section.text == Text::Mime) {
        // MIME follows a number; that of a message's only body is the message's header.
        if (section.part.empty()) return std::nullopt;
        return from_range(file, header(part), partial);
    }
    if (section.text == Text::All && section.part.empty())
        return from_range(file, {part.header_begin, part.body_end, structure.octets()}, partial);
    if (section.text == Text::All) return from_range(file, body(part), partial);

    const std::uint32_t of = message_of(structure, section, index);
    if (of == message::kNone) return std::nullopt;
    const Part& enclosed = structure.parts[of];
    if (section.text == Text::Header) return from_range(file, header(enclosed), partial);
    if (section.text == Text::Text) return from_range(file, body(enclosed), partial);
    const std::string_view block = file.substr(enclosed.header_begin, enclosed.body_begin - enclosed.header_begin);
    return from_bytes(filter_header(structure, block.substr(0, kMaxFiltered), section), partial);
}

void CrlfWriter::feed(std::string_view bytes, std::string& out) {
    if (bytes.empty()) return;
    // Room for a CR each sixteen octets, and more only where there are more.
    out.reserve(out.size() + bytes.size() + bytes.size() / 16);
    char block[4096];
    std::size_t filled = 0;
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    const auto put = [&](const char* from, std::size_t count) {
        if (filled + count > sizeof block) {
            out.append(block, filled);
            filled = 0;
        }
        if (count > sizeof block) return static_cast<void>(out.append(from, count));
        std::memcpy(block + filled, from, count);
        filled += count;
    };
    while (at < end) {
        const auto* newline = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
        const char* const stop = newline != nullptr ? newline : end;
        if (stop > at) {
            put(at, static_cast<std::size_t>(stop - at));
            after_cr_ = stop[-1] == '\r';
        }
        if (newline == nullptr) break;
        if (after_cr_) put("\n", 1);
        else put("\r\n", 2);
        after_cr_ = false;
        at = newline + 1;
    }
    out.append(block, filled);
}

std::string read_all(const Content& content, std::string_view file) {
    std::string out;
    for (const Piece& piece : content.pieces) {
        out += piece.own;
        if (!piece.own.empty() || piece.begin >= file.size()) continue;
        const std::string_view slice = file.substr(piece.begin, piece.end - piece.begin);
        if (piece.to_crlf) CrlfWriter().feed(slice, out);
        else out += slice;
    }
    return out;
}

}  // namespace gk::imap
