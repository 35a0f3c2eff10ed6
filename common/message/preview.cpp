// SPDX-License-Identifier: MIT
#include "common/message/preview.hpp"

#include <algorithm>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/message/html_text.hpp"
#include "common/message/text.hpp"

namespace gk::message {

namespace {

constexpr std::size_t kMostText = 256 * 1024;  // of a part: newsletters begin with long style sheets
constexpr std::size_t kMostParts = 8;          // text parts that are tried until one has words
constexpr std::size_t kMostShown = 16 * 1024;  // of it: before the words there may be much that takes no room

// Characters that take no room, or fill it so that a client's preview shows nothing else.
bool is_invisible(char32_t c) {
    return c == 0xAD || c == 0x34F || c == 0x61C || (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || c == 0xFFFD || (c >= 0x7F && c < 0xA0);
}

bool is_space(char32_t c) {
    return c <= ' ' || c == 0xA0 || c == 0x2007 || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x3000 ||
           (c >= 0x2000 && c <= 0x200A);
}

// One line of at most kMaxPreview characters.
std::string condensed(std::string_view text) {
    std::string out;
    std::size_t characters = 0;
    bool gap = false;
    for (std::size_t at = 0; at < text.size() && characters < kMaxPreview;) {
        const char32_t c = charset::next_utf8(text, at);
        if (is_invisible(c)) continue;
        if (is_space(c)) {
            gap = characters > 0;
            continue;
        }
        if (std::exchange(gap, false)) {
            if (characters + 1 == kMaxPreview) break;
            out += ' ';
            ++characters;
        }
        charset::append_utf8(out, c);
        ++characters;
    }
    return out;
}

std::string_view next_line(std::string_view& rest) {
    const std::size_t lf = rest.find('\n');
    std::string_view line = rest.substr(0, lf);
    rest.remove_prefix(lf == std::string_view::npos ? rest.size() : lf + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

bool is_quoted(std::string_view line) { return line.starts_with('>'); }

// What the sender wrote: no quotations, not the line that says whose they are, and nothing from the signature on.
std::string own_words(std::string_view text) {
    std::string out;
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string_view line = next_line(rest);
        if (line == "-- ") break;
        if (is_quoted(line)) continue;
        if (line.ends_with(':')) {
            std::string_view behind = rest;
            std::string_view following;
            while (!behind.empty() && following.empty()) following = next_line(behind);
            if (is_quoted(following)) continue;
        }
        out += line;
        out += '\n';
    }
    return out;
}

std::string unquoted(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        std::string_view line = next_line(text);
        while (line.starts_with('>') || line.starts_with(' ')) line.remove_prefix(1);
        out += line;
        out += '\n';
    }
    return out;
}

// Without the document's title and, unless QUOTES, what stands in <blockquote>.
std::string without_asides(std::string_view html, bool quotes) {
    std::string out;
    std::size_t inside = 0;
    while (!html.empty()) {
        const std::size_t tag = std::min(html.find('<'), html.size());
        if (inside == 0) out += html.substr(0, tag);
        html.remove_prefix(tag);
        if (html.empty()) break;
        const bool closes = html.starts_with("</");
        const std::string_view name = html.substr(closes ? 2 : 1);
        if (text::starts_with_nocase(name, "title") || (!quotes && text::starts_with_nocase(name, "blockquote"))) {
            if (!closes) ++inside;
            else if (inside > 0) --inside;
            const std::size_t end = html.find('>');
            html.remove_prefix(end == std::string_view::npos ? html.size() : end + 1);
            if (inside == 0) out += ' ';
            continue;
        }
        if (inside == 0) out += '<';
        html.remove_prefix(1);
    }
    return out;
}

bool is_readable(const Structure& structure, const Part& part) {
    if (part.kind != Part::Kind::Leaf || part.opaque || part.type != "text") return false;
    if (part.subtype != "plain" && part.subtype != "html" && part.subtype != "enriched") return false;
    if (part.disposition && *part.disposition == "attachment") return false;
    // Not the text of a message that is attached.
    for (std::uint32_t up = part.parent; up != kNone; up = structure.parts[up].parent)
        if (structure.parts[up].kind == Part::Kind::Message || structure.parts[up].subtype == "encrypted") return false;
    return true;
}

}  // namespace

std::string preview(std::string_view file, const Structure& structure) {
    std::size_t tried = 0;
    for (const Part& part : structure.parts) {
        if (!is_readable(structure, part)) continue;
        if (++tried > kMostParts) break;
        std::string text;
        read_text(file, part, [&](std::string_view piece) {
            text += piece.substr(0, kMostText - text.size());
            return text.size() < kMostText;
        });
        const bool plain = part.subtype == "plain";
        std::string words = condensed(plain ? own_words(text) : html_to_text(without_asides(text, false), kMostShown));
        if (words.empty())
            words = condensed(plain ? unquoted(text) : html_to_text(without_asides(text, true), kMostShown));
        if (!words.empty()) return words;
    }
    return {};
}

}  // namespace gk::message
