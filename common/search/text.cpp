// SPDX-License-Identifier: MIT
#include "common/search/text.hpp"

#include <algorithm>
#include <iterator>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/message/header.hpp"
#include "common/message/html_text.hpp"
#include "common/message/text.hpp"

namespace gk::search {

namespace {

using message::Part;
using message::Structure;

// Of one column that fields fill: a thousand addresses. A list of ten thousand recipients is no use in a search.
constexpr std::size_t kHeaderText = 64u << 10;
// HTML is several times as long as what it says.
constexpr std::size_t kHtmlFactor = 8;

struct Column {
    std::string_view field;
    std::string Text::*column;
};
constexpr Column kColumns[] = {
    {"subject", &Text::subject}, {"from", &Text::from},      {"sender", &Text::from},    {"reply-to", &Text::from},
    {"to", &Text::to},           {"cc", &Text::cc},          {"bcc", &Text::bcc},        {"message-id", &Text::other},
    {"list-id", &Text::other},   {"keywords", &Text::other}, {"comments", &Text::other}, {"organization", &Text::other},
};

// Cut between characters.
std::string_view first_bytes(std::string_view utf8, std::size_t count) {
    if (count >= utf8.size()) return utf8;
    while (count > 0 && (static_cast<unsigned char>(utf8[count]) & 0xc0) == 0x80) --count;
    return utf8.substr(0, count);
}

void append(std::string& column, std::string_view utf8, std::size_t limit, bool& cut) {
    const std::size_t room = limit - std::min(limit, column.size());
    if (utf8.size() + 1 > room) {
        cut = true;
        utf8 = first_bytes(utf8, room > 0 ? room - 1 : 0);
    }
    if (utf8.empty()) return;
    if (!column.empty()) column += '\n';
    column += utf8;
}

std::string_view header_of(std::string_view file, const Part& part) {
    const auto end = std::min<std::uint64_t>(part.body_begin, file.size());
    const auto begin = std::min<std::uint64_t>(part.header_begin, end);
    return file.substr(begin, end - begin);
}

class Extraction {
public:
    Extraction(std::string_view file, const Structure& structure, const TextLimits& limits)
        : file_(file), structure_(structure), limits_(limits) {}
    Text run();

private:
    void root_header();
    void enclosed_header(const Part& part);
    void leaf(std::uint32_t index);
    std::string content(const Part& part, std::size_t limit);

    std::string_view file_;
    const Structure& structure_;
    TextLimits limits_;
    Text text_;
    std::uint32_t plain_parent_ = message::kNone;  // the multipart/alternative whose plain text was taken
    std::size_t plain_size_ = 0;
};

void Extraction::root_header() {
    message::FieldReader reader(header_of(file_, structure_.root()));
    for (message::Field field; reader.next(field);) {
        const auto* column = std::find_if(std::begin(kColumns), std::end(kColumns),
                                          [&](const Column& c) { return text::equals_nocase(c.field, field.name); });
        if (column == std::end(kColumns)) continue;
        std::string& target = text_.*column->column;
        if (target.size() >= kHeaderText) continue;
        append(target, message::decode_text(field.value.substr(0, kHeaderText)), kHeaderText, text_.cut);
    }
}

// Of a message within the message: who wrote what, as text of the body.
void Extraction::enclosed_header(const Part& part) {
    message::FieldReader reader(header_of(file_, part));
    for (message::Field field; reader.next(field);) {
        for (const std::string_view name : {"subject", "from", "to", "cc"})
            if (text::equals_nocase(field.name, name))
                append(text_.body, message::decode_text(field.value.substr(0, kHeaderText)), limits_.message,
                       text_.cut);
    }
}

std::string Extraction::content(const Part& part, std::size_t limit) {
    std::string out;
    message::read_text(file_, part, [&](std::string_view utf8) {
        const std::size_t room = limit - out.size();
        if (utf8.size() <= room) {
            out += utf8;
            return true;
        }
        text_.cut = true;
        out += first_bytes(utf8, room);
        return false;
    });
    return out;
}

void Extraction::leaf(std::uint32_t index) {
    const Part& part = structure_.parts[index];
    const std::string name = message::file_name(part);
    if (!name.empty()) append(text_.names, name, kHeaderText, text_.cut);
    if (limits_.only_headers || part.opaque || text_.body.size() >= limits_.message) return;
    const bool html = part.is("text", "html") || part.is("application", "xhtml+xml");
    if (part.type != "text" && !html && !part.is("message", "delivery-status")) return;
    if (!html) {
        const std::string plain = content(part, limits_.part);
        append(text_.body, plain, limits_.message, text_.cut);
        plain_parent_ = part.parent;
        plain_size_ = plain.size();
        return;
    }
    std::string reduced = message::html_to_text(content(part, limits_.part * kHtmlFactor), limits_.part);
    const bool alternative = plain_parent_ == part.parent && part.parent != message::kNone &&
                             structure_.parts[part.parent].is("multipart", "alternative");
    if (alternative && reduced.size() < 2 * plain_size_ + 200) return;
    append(text_.body, reduced, limits_.message, text_.cut);
}

Text Extraction::run() {
    root_header();
    for (std::uint32_t i = 0; i < structure_.parts.size(); ++i) {
        const Part& part = structure_.parts[i];
        const bool named = part.disposition != "inline" && !message::file_name(part).empty();
        if (i > 0 && part.kind != Part::Kind::Multipart && (part.disposition == "attachment" || named))
            ++text_.attachments;
        // An envelope has the header of a message; the root's was read.
        if (i > 0 && part.envelope != message::kNone && !limits_.only_headers) enclosed_header(part);
        if (part.kind == Part::Kind::Leaf) leaf(i);
        else if (part.kind == Part::Kind::Message) {
            const std::string name = message::file_name(part);
            if (!name.empty()) append(text_.names, name, kHeaderText, text_.cut);
        }
    }
    return std::move(text_);
}

}  // namespace

Text read_text(std::string_view file, const Structure& structure, const TextLimits& limits) {
    return Extraction(file, structure, limits).run();
}

}  // namespace gk::search
