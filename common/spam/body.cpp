// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/message/header.hpp"
#include "common/message/html_text.hpp"
#include "common/message/text.hpp"
#include "common/spam/readers.hpp"

namespace gk::spam {

namespace {

using message::Part;

// Cut between characters.
std::string content(std::string_view file, const Part& part, std::size_t limit) {
    std::string out;
    message::read_text(file, part, [&](std::string_view utf8) {
        std::size_t room = std::min(limit - out.size(), utf8.size());
        const bool whole = room == utf8.size();
        while (!whole && room > 0 && (static_cast<unsigned char>(utf8[room]) & 0xc0) == 0x80) --room;
        out += utf8.substr(0, room);
        return whole;
    });
    return out;
}

// What writers do with letters and marks, apart from words.
void add_style(Features& features, std::string_view text) {
    std::size_t capitals = 0, small = 0, eight_bit = 0, quoted = 0, lines = 0, exclaimed = 0, money = 0, spaced = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c >= 'A' && c <= 'Z') ++capitals;
        else if (c >= 'a' && c <= 'z') ++small;
        else if (static_cast<unsigned char>(c) >= 0x80) ++eight_bit;
        else if (c == '\n') {
            ++lines;
            if (i + 1 < text.size() && text[i + 1] == '>') ++quoted;
        } else if (c == '!') {
            ++exclaimed;
            if (i + 2 < text.size() && text[i + 1] == '!' && text[i + 2] == '!') features.add("style", "!!!");
        } else if (c == '$') {
            if (i + 1 < text.size() && text::is_digit(text[i + 1])) ++money;
            if (i + 1 < text.size() && text[i + 1] == '$') features.add("style", "$$");
        } else if (c == '%') {
            if (i > 0 && text::is_digit(text[i - 1])) features.add("style", "percentage");
        } else if (c == ' ' && i + 4 < text.size() && text[i + 2] == ' ' && text[i + 4] == ' ' &&
                   text::is_alpha(text[i + 1]) && text::is_alpha(text[i + 3])) {
            ++spaced;
        }
    }
    const std::size_t letters = capitals + small + eight_bit;
    if (letters > 0) {
        features.add("style-capitals", magnitude(capitals * 100 / letters));
        features.add("style-8-bit", magnitude(eight_bit * 100 / letters));
    }
    features.add("style-quoted", magnitude(quoted * 100 / (lines + 1)));
    features.add("style-exclaimed", magnitude(exclaimed));
    features.add("style-money", magnitude(money));
    features.add("style-spaced", magnitude(spaced));
    features.add("style-lines", magnitude(lines));
    if (text.find("\n-- \n") != std::string_view::npos || text.find("\n-- \r\n") != std::string_view::npos)
        features.add("style", "signature");
}

std::string sender_domain(const message::Structure& structure) {
    const auto& from = structure.envelope().from;
    return from.empty() ? std::string() : text::lower(from.front().domain);
}

}  // namespace

void read_body(std::string_view file, const message::Structure& structure, const FeatureLimits& limits,
               Features& features) {
    std::size_t text_left = limits.text, html_left = limits.html;
    std::vector<Link> links;
    std::string seen;
    std::size_t images = 0;
    for (std::uint32_t i = 0; i < structure.parts.size() && text_left > 0; ++i) {
        const Part& part = structure.parts[i];
        if (part.type == "image") ++images;
        if (i > 0 && part.envelope != message::kNone) {
            const auto& enclosed = structure.envelopes[part.envelope];
            if (enclosed.subject) add_words(features, "word", message::decode_text(*enclosed.subject), true);
        }
        if (part.kind != Part::Kind::Leaf || part.opaque) continue;
        const bool html = part.is("text", "html") || part.is("application", "xhtml+xml");
        if (!html && part.type != "text" && !part.is("message", "delivery-status")) continue;
        std::string text = content(file, part, html ? html_left : text_left);
        if (html) {
            html_left -= text.size();
            const std::string source = std::move(text);
            read_html(source, limits.links, features, links);
            text = message::html_to_text(source, text_left);
            features.add("html-share", magnitude(text.size() * 100 / (source.size() + 1)));
        } else {
            find_links(text, limits.links, links);
        }
        text_left -= std::min(text_left, text.size());
        seen += text;
        add_words(features, "word", text, true);
    }
    add_style(features, seen);
    features.add("text", magnitude(seen.size()));
    if (seen.size() < 200 && images > 0) features.add("text", "little beside images");
    add_links(links, sender_domain(structure), features);
}

void read_parts(const message::Structure& structure, Features& features) {
    std::size_t leaves = 0, attachments = 0;
    for (const Part& part : structure.parts) {
        const std::string type = part.type + '/' + part.subtype;
        features.add("part", type);
        if (!part.encoding.empty()) features.add("encoding", part.encoding);
        if (const auto charset = message::raw_parameter(part.parameters, "charset"); !charset.empty())
            features.add("charset", text::lower(charset));
        if (part.kind == Part::Kind::Multipart) continue;
        if (part.opaque) features.add("part", "past a limit");
        if (++leaves > 50) break;
        const std::string name = message::file_name(part);
        if (part.disposition) features.add("disposition", *part.disposition);
        if (name.empty()) continue;
        ++attachments;
        // All of its endings, since the last but one is what a reader is to believe: "invoice.pdf.exe".
        const auto endings = text::split(name, '.');
        for (std::size_t i = endings.size(); i-- > 1 && i + 2 >= endings.size();)
            features.add("file-ending", text::lower(endings[i]), i + 1 == endings.size() ? "" : ".",
                         i + 1 == endings.size() ? "" : text::lower(endings[i + 1]));
        if (!endings.empty()) features.add("file-type", text::lower(endings.back()), " as ", type);
        add_words(features, "file-name", name, false);
    }
    features.add("parts", magnitude(leaves));
    features.add("attachments", magnitude(attachments));
    features.add("size", magnitude(structure.octets()));
}

}  // namespace gk::spam
