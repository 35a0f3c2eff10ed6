// SPDX-License-Identifier: MIT
#include "common/imap/commands/fetch_content.hpp"

#include <fmt/format.h>

#include "common/imap/format/format.hpp"
#include "common/imap/format/section.hpp"

namespace gk::imap {

namespace {

using Kind = FetchItem::Kind;

// Octets of BYTES once each LF has its CR. Counted, not believed: a file's name or the index may be wrong, and a wrong
// literal would garble the rest of the session.
std::uint64_t octets_with_crlf(std::string_view bytes) {
    std::uint64_t octets = bytes.size();
    for (std::size_t at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1))
        if (at == 0 || bytes[at - 1] != '\r') ++octets;
    return octets;
}

}  // namespace

bool is_whole_message(const FetchItem& item) {
    if (item.kind == Kind::Rfc822) return true;
    return (item.kind == Kind::BodySection || item.kind == Kind::Binary) && item.section.part.empty() &&
           item.section.text == Section::Text::All;
}

void append_content(OutputQueue& queue, const FetchItem& item, const OutputQueue::File& file,
                    const message::Structure* structure, std::string& converted) {
    const std::string_view bytes = file->file.bytes();
    const bool convert = file->line_ends == message::LineEnds::Convert;
    if (is_whole_message(item) && !item.partial) {
        std::string& out = queue.text();
        const std::string_view mark =
            item.kind == Kind::Binary && bytes.find('\0') != std::string_view::npos ? "~" : "";  // literal8
        if (!convert) {
            fmt::format_to(std::back_inserter(out), "{}{{{}}}\r\n", mark, bytes.size());
            queue.slice(file, 0, bytes.size(), false, bytes.size());
        } else if (!file->file.is_mapped()) {
            // A small one is converted once, for its size and its bytes.
            converted.clear();
            CrlfWriter().feed(bytes, converted);
            fmt::format_to(std::back_inserter(out), "{}{{{}}}\r\n", mark, converted.size());
            out += converted;
        } else {
            const std::uint64_t octets = octets_with_crlf(bytes);
            fmt::format_to(std::back_inserter(out), "{}{{{}}}\r\n", mark, octets);
            queue.slice(file, 0, bytes.size(), true, octets);
        }
        return;
    }
    Section wanted = item.section;
    if (item.kind == Kind::Rfc822Header) wanted.text = Section::Text::Header;
    if (item.kind == Kind::Rfc822Text) wanted.text = Section::Text::Text;
    const auto content = find_section(*structure, bytes, wanted, item.partial);
    if (!content) {
        append_nil(queue.text());
        return;
    }
    fmt::format_to(std::back_inserter(queue.text()), "{{{}}}\r\n", content->octets);
    for (const Piece& piece : content->pieces) {
        if (!piece.own.empty()) queue.text() += piece.own;
        else queue.slice(file, piece.begin, piece.end, piece.to_crlf, content->octets);
    }
}

bool append_binary(OutputQueue& queue, const FetchItem& item, const OutputQueue::File& file,
                   const message::Structure& structure) {
    std::string& out = queue.text();
    const std::uint32_t number = find_part(structure, item.section.part);
    if (number == message::kNone) {
        if (item.kind == Kind::BinarySize) out += '0';
        else append_nil(out);
        return true;
    }
    const message::Part& part = structure.parts[number];
    const std::string_view bytes = file->file.bytes();
    std::uint64_t end = std::min<std::uint64_t>(part.body_end, bytes.size());
    std::uint64_t begin = std::min(item.section.part.empty() ? 0 : part.body_begin, end);
    auto encoding = message::Encoding::Identity;
    if (part.kind == message::Part::Kind::Leaf && !item.section.part.empty() && !part.encoding.empty()) {
        if (!message::encoding_is_known(part.encoding)) {
            if (item.kind == Kind::BinarySize) out += '0';
            else append_nil(out);
            return false;
        }
        encoding = message::encoding_named(part.encoding);
    }
    const bool convert = file->line_ends == message::LineEnds::Convert;
    const DecodedSize size = decoded_size(bytes.substr(begin, end - begin), convert, encoding);
    if (item.kind == Kind::BinarySize) {
        fmt::format_to(std::back_inserter(out), "{}", size.octets);
        return true;
    }
    const std::uint64_t skip = item.partial ? std::min(item.partial->offset, size.octets) : 0;
    const std::uint64_t count = item.partial ? std::min(item.partial->length, size.octets - skip) : size.octets;
    fmt::format_to(std::back_inserter(out), "{}{{{}}}\r\n", size.has_nul ? "~" : "", count);
    if (count > 0) queue.decoded(file, begin, end, convert, encoding, skip, count);
    return true;
}

}  // namespace gk::imap
