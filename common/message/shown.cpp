// SPDX-License-Identifier: MIT
#include "common/message/shown.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/base/text.hpp"

namespace gk::message {

namespace {

void append_number(std::string& out, std::uint64_t n) { fmt::format_to(std::back_inserter(out), "{}", n); }

void append_nstring(std::string& out, const std::optional<std::string>& s, bool utf8) {
    if (s) append_string(out, *s, utf8);
    else append_nil(out);
}

void append_nstring_or_nil(std::string& out, const std::string& s, bool utf8) {
    if (s.empty()) append_nil(out);
    else append_string(out, s, utf8);
}

// env-from and its like: "(" 1*address ")" / nil
void append_addresses(std::string& out, const std::vector<address::Listed>& list, bool utf8) {
    if (list.empty()) return append_nil(out);
    out += '(';
    for (const address::Listed& a : list) {
        using Kind = address::Listed::Kind;
        out += '(';
        switch (a.kind) {
            // RFC 3501, 7.4.2: a NIL host marks a group's begin (with its name as mailbox) and end (without).
            case Kind::GroupBegin:
                out += "NIL NIL ";
                append_string(out, a.name, utf8);
                out += " NIL";
                break;
            case Kind::GroupEnd: out += "NIL NIL NIL NIL"; break;
            case Kind::Mailbox:
                append_nstring_or_nil(out, a.name, utf8);
                out += ' ';
                append_nstring_or_nil(out, a.route, utf8);
                out += ' ';
                append_string(out, a.local_part, utf8);  // never NIL: that would be a group's mark
                out += ' ';
                append_string(out, a.domain, utf8);
                break;
        }
        out += ')';
    }
    out += ')';
}

// "name*0", "name*1", … put together to "name"; to "name*" where some are percent-encoded (RFC 2231, 6: an IMAP server
// SHOULD). The charset in front stays the client's, and segments that have no place stay as they are.
std::vector<Parameter> with_continuations_joined(const std::vector<Parameter>& parameters) {
    std::vector<Parameter> out;
    std::vector<const Parameter*> used;
    const auto find = [&](const std::string& name) -> const Parameter* {
        const auto at =
            std::find_if(parameters.begin(), parameters.end(), [&](const auto& p) { return p.name == name; });
        return at == parameters.end() ? nullptr : &*at;
    };
    for (const auto& p : parameters) {
        const std::size_t star = p.name.find("*0");
        const bool begins =
            star != std::string::npos && star > 0 && (star + 2 == p.name.size() || p.name.substr(star + 2) == "*");
        if (!begins || find(p.name) != &p) continue;
        const std::string name = p.name.substr(0, star);
        std::vector<const Parameter*> segments;
        for (std::size_t number = 0;; ++number) {
            const std::string segment = fmt::format("{}*{}", name, number);
            const auto* found = find(segment);
            if (found == nullptr) found = find(segment + '*');
            if (found == nullptr) break;
            segments.push_back(found);
        }
        const auto is_encoded = [](const auto* segment) { return segment->name.ends_with('*'); };
        const bool encoded = std::any_of(segments.begin(), segments.end(), is_encoded);
        std::string value = encoded && !is_encoded(segments[0]) ? "''" : "";  // where the charset is not named
        for (const auto* segment : segments)
            for (const char c : segment->value) {
                if (encoded && !is_encoded(segment) && (c == '%' || c == '\'' || c <= ' ' || c > '~'))
                    fmt::format_to(std::back_inserter(value), "%{:02X}", static_cast<unsigned char>(c));
                else value += c;
            }
        used.insert(used.end(), segments.begin(), segments.end());
        out.push_back({encoded ? name + '*' : name, value});
    }
    std::vector<Parameter> all;
    for (const auto& p : parameters)
        if (std::find(used.begin(), used.end(), &p) == used.end()) all.push_back(p);
    all.insert(all.end(), out.begin(), out.end());
    return all;
}

// body-fld-param; CHARSET: the default one is added where none is named
void append_parameters(std::string& out, const std::vector<Parameter>& as_written, bool utf8, bool charset = false) {
    std::vector<Parameter> joined;
    const auto continues = [](const Parameter& p) { return p.name.find("*0") != std::string::npos; };
    const bool any = std::any_of(as_written.begin(), as_written.end(), continues);
    if (any) joined = with_continuations_joined(as_written);
    const auto& parameters = any ? joined : as_written;
    if (parameters.empty() && !charset) return append_nil(out);
    char before = '(';
    for (const auto& p : parameters) {
        out += before;
        append_string(out, p.name, utf8);
        out += ' ';
        append_string(out, p.value, utf8);
        before = ' ';
        if (p.name == "charset") charset = false;
    }
    if (charset) out += before, out += R"("charset" "us-ascii")";
    out += ')';
}

// body-fld-dsp, body-fld-lang, body-fld-loc
void append_disposition_to_location(std::string& out, const Part& part, bool utf8) {
    out += ' ';
    if (part.disposition) {
        out += '(';
        append_string(out, *part.disposition, utf8);
        out += ' ';
        append_parameters(out, part.disposition_parameters, utf8);
        out += ')';
    } else {
        append_nil(out);
    }
    out += ' ';
    if (part.languages.empty()) {
        append_nil(out);
    } else {
        char before = '(';
        for (const std::string& language : part.languages) {
            out += before;
            append_string(out, language, utf8);
            before = ' ';
        }
        out += ')';
    }
    out += ' ';
    append_nstring(out, part.location, utf8);
}

// The type a client is told. What is not taken apart must not look as if it were.
struct ShownType {
    std::string_view type, subtype;
};
ShownType shown_type(const Part& part) {
    const bool looks_composite =
        part.type == "multipart" || part.is("message", "rfc822") || part.is("message", "global");
    if (part.kind != Part::Kind::Leaf || !looks_composite) return {part.type, part.subtype};
    // A multipart without a boundary is text to read (RFC 2045, 5.2); what a limit closed, or an encoding hides, is a
    // file.
    if (part.type == "multipart" && !part.opaque) return {"text", "plain"};
    return {"application", "octet-stream"};
}

// body-fields: param id desc enc octets
void append_fields(std::string& out, const Part& part, bool utf8) {
    // The default charset is shown (RFC 2046, 4.1.2), as the examples of RFC 3501, 7.4.2 have it.
    append_parameters(out, part.parameters, utf8, shown_type(part).type == "text");
    out += ' ';
    append_nstring(out, part.id, utf8);
    out += ' ';
    append_nstring(out, part.description, utf8);
    out += ' ';
    append_string(out, part.encoding.empty() ? std::string_view("7bit") : part.encoding, utf8);
    out += ' ';
    append_number(out, part.body_octets);
}

// What stands in front of a part's children, if it can have any.
void open_part(std::string& out, const Structure& structure, const Part& part, bool extensions, bool utf8) {
    out += '(';
    if (part.kind == Part::Kind::Multipart) {
        // body-type-mpart needs one body at least.
        if (part.first_child == kNone) {
            out += R"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)";
            out += extensions ? " NIL NIL NIL NIL)" : ")";
        }
        return;
    }
    const ShownType shown = shown_type(part);
    append_string(out, shown.type, utf8);
    out += ' ';
    append_string(out, shown.subtype, utf8);
    out += ' ';
    append_fields(out, part, utf8);
    if (part.kind == Part::Kind::Message) {
        out += ' ';
        append_envelope(out, structure.envelopes[structure.parts[part.first_child].envelope], utf8);
        out += ' ';
    } else if (shown.type == "text") {
        out += ' ';
        append_number(out, part.body_lines);
    }
}

// What stands behind them.
void close_part(std::string& out, const Part& part, bool extensions, bool utf8) {
    if (part.kind == Part::Kind::Multipart) {
        out += ' ';
        append_string(out, part.subtype, utf8);
        if (extensions) {
            out += ' ';
            append_parameters(out, part.parameters, utf8);
        }
    } else {
        if (part.kind == Part::Kind::Message) {
            out += ' ';
            append_number(out, part.body_lines);
        }
        if (extensions) {
            out += ' ';
            append_nstring(out, part.md5, utf8);
        }
    }
    if (extensions) append_disposition_to_location(out, part, utf8);
    out += ')';
}

}  // namespace

void append_nil(std::string& out) { out += "NIL"; }

void append_string(std::string& out, std::string_view s, bool utf8) {
    bool plain = true, eight_bit = false, special = false;
    for (const char c : s) {
        if (c == '\r' || c == '\n' || c == '\0') plain = false;
        if (static_cast<unsigned char>(c) >= 0x80) eight_bit = true;
        if (c == '"' || c == '\\') special = true;
    }
    // Quoted strings past this length trouble old clients' line buffers; RFC 2683, 3.2.1.5 names 1,000 octets.
    constexpr std::size_t kMaxQuoted = 1000;
    if (plain && s.size() <= kMaxQuoted && (!eight_bit || (utf8 && text::is_utf8(s)))) {
        out += '"';
        if (!special) {
            out += s;
        } else {
            for (const char c : s) {
                if (c == '"' || c == '\\') out += '\\';
                out += c;
            }
        }
        out += '"';
        return;
    }
    fmt::format_to(std::back_inserter(out), "{{{}}}\r\n", s.size());
    const std::size_t at = out.size();
    out += s;
    if (!plain) std::replace(out.begin() + static_cast<std::ptrdiff_t>(at), out.end(), '\0', '?');
}

void append_envelope(std::string& out, const Envelope& e, bool utf8) {
    out += '(';
    append_nstring(out, e.date, utf8);
    out += ' ';
    append_nstring(out, e.subject, utf8);
    // RFC 3501, 7.4.2: an absent Sender or Reply-To is the From.
    for (const auto* list : {&e.from, e.sender.empty() ? &e.from : &e.sender,
                             e.reply_to.empty() ? &e.from : &e.reply_to, &e.to, &e.cc, &e.bcc}) {
        out += ' ';
        append_addresses(out, *list, utf8);
    }
    out += ' ';
    append_nstring(out, e.in_reply_to, utf8);
    out += ' ';
    append_nstring(out, e.message_id, utf8);
    out += ')';
}

// Walks the tree by its links, so that depth costs no stack.
void append_body(std::string& out, const Structure& structure, bool extensions, bool utf8) {
    std::uint32_t at = 0;
    for (;;) {
        const Part* part = &structure.parts[at];
        open_part(out, structure, *part, extensions, utf8);
        if (part->kind != Part::Kind::Leaf && part->first_child != kNone) {
            at = part->first_child;
            continue;
        }
        close_part(out, *part, extensions, utf8);
        while (part->next_sibling == kNone) {
            if (part->parent == kNone) return;
            at = part->parent;
            part = &structure.parts[at];
            close_part(out, *part, extensions, utf8);
        }
        at = part->next_sibling;
    }
}

}  // namespace gk::message
