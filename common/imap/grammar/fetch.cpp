// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/imap/grammar/rules.hpp"

namespace gk::imap {

namespace {

using Kind = FetchItem::Kind;

constexpr std::size_t kMaxItems = 1000;

// section = "[" [section-spec] "]"; section-spec = section-msgtext / (section-part ["." section-text])
Section section(Scanner& in, bool parts_only) {
    Section section;
    in.expect('[');
    while (!in.failed() && text::is_digit(in.peek())) {
        section.part.push_back(in.nz_number());
        if (section.part.size() > kMaxSectionDepth) in.fail("a part's number is too deep");
        if (!in.accept('.')) {
            in.expect(']');
            return section;
        }
    }
    if (in.accept(']')) {
        if (!section.part.empty()) in.fail("a section ends in a dot");
        return section;
    }
    if (parts_only) {
        in.fail("BINARY takes only part numbers");
        return section;
    }
    if (in.accept_word("HEADER.FIELDS.NOT")) section.text = Section::Text::HeaderFieldsNot;
    else if (in.accept_word("HEADER.FIELDS")) section.text = Section::Text::HeaderFields;
    else if (in.accept_word("HEADER")) section.text = Section::Text::Header;
    else if (in.accept_word("TEXT")) section.text = Section::Text::Text;
    else if (!section.part.empty() && in.accept_word("MIME")) section.text = Section::Text::Mime;
    else in.fail("a section is malformed");
    if (section.text == Section::Text::HeaderFields || section.text == Section::Text::HeaderFieldsNot) {
        in.space();
        in.expect('(');
        do {
            section.fields.push_back(in.astring());
            if (section.fields.size() > kMaxSectionFields) in.fail("too many header fields");
        } while (in.accept(' '));
        in.expect(')');
    }
    in.expect(']');
    return section;
}

// partial = "<" number "." nz-number ">"
std::optional<Partial> partial(Scanner& in) {
    if (!in.accept('<')) return std::nullopt;
    Partial partial;
    partial.offset = in.number64();
    in.expect('.');
    partial.length = in.number64();
    if (partial.length == 0) in.fail("a partial fetch of nothing");
    in.expect('>');
    return partial;
}

// fetch-att, RFC 9051, 9 and RFC 3501, 9
FetchItem fetch_item(Scanner& in) {
    static constexpr std::pair<std::string_view, Kind> kPlain[] = {{"FLAGS", Kind::Flags},
                                                                   {"UID", Kind::Uid},
                                                                   {"MODSEQ", Kind::ModSeq},
                                                                   {"INTERNALDATE", Kind::InternalDate},
                                                                   {"RFC822.SIZE", Kind::Rfc822Size},
                                                                   {"SAVEDATE", Kind::SaveDate},
                                                                   {"EMAILID", Kind::EmailId},
                                                                   {"THREADID", Kind::ThreadId},
                                                                   {"ENVELOPE", Kind::Envelope},
                                                                   {"BODYSTRUCTURE", Kind::BodyStructure},
                                                                   {"RFC822.HEADER", Kind::Rfc822Header},
                                                                   {"RFC822.TEXT", Kind::Rfc822Text},
                                                                   {"RFC822", Kind::Rfc822}};
    FetchItem item;
    for (const auto& [name, kind] : kPlain) {
        if (!in.accept_word(name)) continue;
        item.kind = kind;
        item.peek = kind == Kind::Rfc822Header;  // RFC 3501, 6.4.5: equal to BODY.PEEK[HEADER]
        return item;
    }
    if (in.accept_word("BINARY.SIZE")) {
        item.kind = Kind::BinarySize;
        item.peek = true;
        item.section = section(in, true);
        return item;
    }
    // "PREVIEW" [SP "(" "LAZY" ")"]; RFC 8970, 6
    if (in.accept_word("PREVIEW")) {
        item.kind = Kind::Preview;
        if (!in.next_is(" (")) return item;
        in.space();
        in.expect('(');
        item.lazy = in.accept_word("LAZY");
        if (!item.lazy) in.fail("LAZY expected");
        in.expect(')');
        return item;
    }
    const bool binary_peek = in.accept_word("BINARY.PEEK");
    if (binary_peek || in.accept_word("BINARY")) {
        item.kind = Kind::Binary;
        item.peek = binary_peek;
        item.section = section(in, true);
        item.partial = partial(in);
        return item;
    }
    const bool peek = in.accept_word("BODY.PEEK");
    if (peek || in.accept_word("BODY")) {
        if (!peek && !in.next_is('[')) {
            item.kind = Kind::Body;
            return item;
        }
        item.kind = Kind::BodySection;
        item.peek = peek;
        item.section = section(in, false);
        item.partial = partial(in);
        return item;
    }
    in.fail("an unknown item to fetch");
    return item;
}

}  // namespace

// "ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")"
std::vector<FetchItem> fetch_items(Scanner& in) {
    std::vector<FetchItem> items;
    const auto macro = [&](std::initializer_list<Kind> kinds) {
        for (const Kind kind : kinds) items.push_back({.kind = kind});
    };
    if (in.accept_word("ALL")) macro({Kind::Flags, Kind::InternalDate, Kind::Rfc822Size, Kind::Envelope});
    else if (in.accept_word("FULL"))
        macro({Kind::Flags, Kind::InternalDate, Kind::Rfc822Size, Kind::Envelope, Kind::Body});
    else if (in.accept_word("FAST")) macro({Kind::Flags, Kind::InternalDate, Kind::Rfc822Size});
    else if (in.accept('(')) {
        do {
            items.push_back(fetch_item(in));
            if (items.size() > kMaxItems) in.fail("too many items to fetch");
        } while (in.accept(' '));
        in.expect(')');
    } else {
        items.push_back(fetch_item(in));
    }
    return items;
}

}  // namespace gk::imap
