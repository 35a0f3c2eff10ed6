// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/message/header.hpp"
#include "common/sieve/machine.hpp"

// The parts of a message: body (RFC 5173), extracttext, replace and enclose (RFC 5703, 5 to 7).
namespace gk::sieve {

namespace {

constexpr unsigned kMostRewrites = 8;  // of one message; each makes a copy of it

// RFC 5173, 5.2: "" is everything, "text" a type with all subtypes, "text/html" one.
bool is_of_type(const message::Part& part, const std::vector<std::string>& types) {
    return std::any_of(types.begin(), types.end(), [&](const std::string& wanted) {
        if (wanted.empty()) return true;
        const std::size_t slash = wanted.find('/');
        if (wanted.front() == '/' || wanted.back() == '/' ||
            (slash != std::string::npos && wanted.find('/', slash + 1) != std::string::npos))
            return false;  // "a type with two slashes, or one that begins or ends with one, matches nothing"
        if (slash == std::string::npos) return text::equals_nocase(part.type, wanted);
        return text::equals_nocase(part.type, wanted.substr(0, slash)) &&
               text::equals_nocase(part.subtype, wanted.substr(slash + 1));
    });
}

}  // namespace

// RFC 5173. Match variables are left alone (section 6).
bool Machine::body(const Node& node) {
    Matcher matcher(*this, node, node.args[0], false);
    if (node.is(flag::Raw)) {
        const std::string_view body = mail_->body().substr(0, limits_.body_size);
        matcher.value(body);
        return matcher.finish();
    }
    const Tagged* content = node.find(Slot::Content);
    std::vector<std::string> types;
    if (content) types = list(content->texts);
    else types.emplace_back("text");
    const message::Structure& structure = mail_->structure();
    std::uint64_t left = limits_.body_size;
    for (std::uint32_t i = 0; i < structure.parts.size() && left > 0; ++i) {
        const message::Part& part = structure.parts[i];
        if (!is_of_type(part, types)) continue;
        std::string own;
        std::string_view text;
        if (part.kind == message::Part::Kind::Message && part.first_child != message::kNone) {
            // 5.2: of a message/rfc822 the header of the nested message is searched; its parts come by themselves.
            text = mail_->header_of(part.first_child).substr(0, left);
        } else if (part.kind == message::Part::Kind::Multipart && part.first_child != message::kNone) {
            // 5.2: "the prologue and epilogue".
            const message::Part& first = structure.parts[part.first_child];
            own = mail_->raw().substr(part.body_begin,
                                      std::min<std::uint64_t>(left, first.header_begin - part.body_begin));
            if (const std::size_t boundary = own.rfind("--"); boundary != std::string::npos) own.resize(boundary);
            std::uint32_t last = part.first_child;
            while (structure.parts[last].next_sibling != message::kNone) last = structure.parts[last].next_sibling;
            const std::string_view tail =
                mail_->raw().substr(structure.parts[last].body_end, part.body_end - structure.parts[last].body_end);
            const std::size_t line = tail.find('\n', 2);
            if (line != std::string_view::npos) own += tail.substr(line + 1, left);
            text = own;
        } else {
            bool fresh = false;
            text = mail_->content(i, !content, limits_.body_size, fresh).substr(0, left);
            if (fresh && !budget_.spend(text.size())) return fail(node, {}), false;
        }
        left -= std::min<std::uint64_t>(left, text.size());
        if (matcher.value(text)) break;
    }
    return matcher.finish();
}

// RFC 5703, 7.
bool Machine::extracttext(const Node& node) {
    std::string value;
    const std::uint32_t at_part = part_here();
    const message::Part& part = mail_->structure().parts[at_part];
    if (part.kind == message::Part::Kind::Leaf && part.type == "text") {
        bool fresh = false;
        const std::string_view content = mail_->content(at_part, true, limits_.body_size, fresh);
        if (fresh && !budget_.spend(content.size())) return fail(node, {}), false;
        value = charset::valid_utf8(content.substr(0, limits_.variable_size));
        if (!budget_.spend(value.size())) return fail(node, {}), false;
        if (const Tagged* first = node.find(Slot::First)) {
            std::size_t at = 0;
            for (std::uint64_t i = 0; i < first->number && at < value.size(); ++i) charset::next_utf8(value, at);
            value.resize(at);
        }
    }
    return store(node, modified(node, std::move(value)));
}

namespace {

// The fields of a message without those that tell what its body is.
std::string header_without_mime(std::vector<HeaderField>& fields, std::string_view without,
                                const std::optional<std::string>& subject, const std::optional<std::string>& from,
                                const char* line_end) {
    std::string header;
    const auto field = [&](std::string_view name, const std::string& value) {
        header.append(name)
            .append(": ")
            .append(text::is_ascii(value) ? value : message::encode_words(value))
            .append(line_end);
    };
    for (HeaderField& each : fields) {
        if (text::starts_with_nocase(each.name, "content-") || text::equals_nocase(each.name, "mime-version")) continue;
        if (!without.empty() && text::equals_nocase(each.name, without)) continue;
        if (subject && text::equals_nocase(each.name, "subject")) continue;
        if (from && text::equals_nocase(each.name, "from")) {
            header.append("Original-From:").append(each.value).append(line_end);  // RFC 5703, 5
            continue;
        }
        header += each.whole;
        if (header.back() != '\n') header += line_end;
    }
    if (subject) field("Subject", *subject);
    if (from) field("From", *from);
    header.append("MIME-Version: 1.0").append(line_end);
    return header;
}

std::string with_line_ends(std::string_view s, std::string_view line_end) {
    std::string out;
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (s[i] == '\r' && i + 1 < s.size() && s[i + 1] == '\n') continue;
        if (s[i] == '\n') out += line_end;
        else out += s[i];
    }
    return out;
}

std::string one_line(std::string s) {
    std::erase_if(s, [](char c) { return c == '\r' || c == '\0'; });
    std::replace(s.begin(), s.end(), '\n', ' ');
    return s;
}

}  // namespace

bool Machine::rewritten(const Node& node) {
    copied_ += mail_->raw().size();
    if (copied_ > limits_.copied) return fail(node, "the message is too large to be rewritten so often"), false;
    return budget_.spend(mail_->raw().size() / 16) || (fail(node, {}), false);
}

// RFC 5703, 5: the part the loop is at, or the whole message, becomes another.
bool Machine::replace(const Node& node) {
    const std::string end = mail_->line_end();
    std::string entity = with_line_ends(text(node.args[0][0]), end);
    if (!node.is(flag::Mime))
        entity =
            "Content-Type: text/plain; charset=utf-8" + end + "Content-Transfer-Encoding: 8bit" + end + end + entity;
    const auto value_of = [&](Slot slot) -> std::optional<std::string> {
        const Tagged* tagged = node.find(slot);
        if (!tagged) return std::nullopt;
        return one_line(text(tagged->texts[0]));
    };
    if (++rewrites_ > kMostRewrites) return fail(node, "the message is rewritten too often"), false;
    const std::uint32_t part = part_here();
    if (part == 0) {
        const std::string header =
            header_without_mime(mail_->fields(), {}, value_of(Slot::Subject), value_of(Slot::From), end.c_str());
        const std::size_t length = message::header_length(entity);
        message::FieldReader reader(entity);
        std::string own;
        for (message::Field each; reader.next(each);)
            if (may_be_added(each.name)) own += each.whole;
        own += entity.substr(reader.position(), length - reader.position());
        mail_->replace_all(header + own, entity.substr(length));
        return rewritten(node);
    }
    // The bytes of the part give way to the new entity; what is around them, boundaries included, stays.
    const message::Part& each = mail_->structure().parts[part];
    std::string whole(mail_->raw().substr(0, each.header_begin));
    whole += entity;
    whole += mail_->raw().substr(each.body_end);
    const std::size_t length = message::header_length(whole);
    mail_->replace_all(whole.substr(0, length), whole.substr(length));
    return rewritten(node);
}

// RFC 5703, 6: the message becomes an attachment of one that says TEXT.
bool Machine::enclose(const Node& node) {
    if (++rewrites_ > kMostRewrites) return fail(node, "the message is rewritten too often"), false;
    const std::string end = mail_->line_end();
    const Edition now = mail_->edition();
    const std::string original = now.apply(mail_->raw());
    const std::string boundary = "gk-enclosed-" + new_id();  // half of it is random: the sender cannot know it
    std::optional<std::string> subject;
    if (const Tagged* given = node.find(Slot::Subject)) subject = one_line(text(given->texts[0]));
    std::string header = header_without_mime(mail_->fields(), {}, subject, std::nullopt, end.c_str());
    if (const Tagged* more = node.find(Slot::Headers))
        for (const std::string& each : list(more->texts)) {
            const std::size_t colon = each.find(':');
            if (colon == 0 || colon == std::string::npos)
                return fail(node, "a field is written \"Name: value\""), false;
            if (may_be_added(text::trim(std::string_view(each).substr(0, colon)))) header += one_line(each) + end;
        }
    header += "Content-Type: multipart/mixed; boundary=\"" + boundary + '"' + end + end;
    std::string body = "--" + boundary + end + "Content-Type: text/plain; charset=utf-8" + end +
                       "Content-Transfer-Encoding: 8bit" + end + end + with_line_ends(text(node.args[0][0]), end) +
                       end + "--" + boundary + end + "Content-Type: message/rfc822" + end + end + original;
    body += end + "--" + boundary + "--" + end;
    mail_->replace_all(std::move(header), std::move(body));
    for (Loop& each : loops_) each.part = 0;  // what had its number has another
    return rewritten(node);
}

}  // namespace gk::sieve
