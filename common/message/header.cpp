// SPDX-License-Identifier: MIT
#include "common/message/header.hpp"

#include <cstring>

#include "common/base/text.hpp"

namespace gk::message {

namespace {

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

// The position after the line that begins at FROM.
std::size_t line_end(std::string_view s, std::size_t from) noexcept {
    const void* found = std::memchr(s.data() + from, '\n', s.size() - from);
    return found ? static_cast<std::size_t>(static_cast<const char*>(found) - s.data()) + 1 : s.size();
}

bool is_empty_line(std::string_view s, std::size_t from) noexcept {
    return s[from] == '\n' || (s[from] == '\r' && from + 1 < s.size() && s[from + 1] == '\n');
}

}  // namespace

bool FieldReader::next(Field& field) noexcept {
    if (position_ >= block_.size() || is_empty_line(block_, position_)) return false;
    const std::size_t begin = position_;
    std::size_t end = line_end(block_, begin);
    while (end < block_.size() && is_blank(block_[end])) end = line_end(block_, end);
    position_ = end;
    field.whole = block_.substr(begin, end - begin);
    std::string_view text = field.whole;
    if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    // The name ends at the colon; white space before that is obsolete but valid (RFC 5322, 4.5).
    std::size_t colon = 0;
    while (colon < text.size() && text[colon] != ':' && text[colon] != '\n') ++colon;
    if (colon == text.size() || text[colon] != ':') {
        field.name = {};
        field.value = text;
        return true;
    }
    std::size_t name = colon;
    while (name > 0 && is_blank(text[name - 1])) --name;
    field.name = text.substr(0, name);
    field.value = text.substr(colon + 1);
    return true;
}

std::size_t header_length(std::string_view message) noexcept {
    std::size_t at = 0;
    while (at < message.size()) {
        const bool empty = is_empty_line(message, at);
        at = line_end(message, at);
        if (empty) break;
    }
    return at;
}

std::optional<std::string_view> find_field(std::string_view block, std::string_view name) noexcept {
    FieldReader reader(block);
    for (Field field; reader.next(field);)
        if (text::equals_nocase(field.name, name)) return field.value;
    return std::nullopt;
}

std::size_t count_fields(std::string_view block, std::string_view name) noexcept {
    std::size_t count = 0;
    FieldReader reader(block);
    for (Field field; reader.next(field);) count += text::equals_nocase(field.name, name);
    return count;
}

std::string unfold(std::string_view value, std::size_t limit) {
    std::string out;
    value = text::trim(value);
    if (value.size() > limit) value = value.substr(0, limit);
    out.reserve(value.size());
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        if (c == '\n' || (c == '\r' && i + 1 < value.size() && value[i + 1] == '\n')) continue;
        out += c;
    }
    return out;
}

std::string without_comments(std::string_view value) {
    std::string out;
    std::size_t depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        if (c == '\\' && i + 1 < value.size() && (quoted || depth > 0)) {
            ++i;
            if (depth == 0) out.append({c, value[i]});
        } else if (quoted) {
            quoted = c != '"';
            out += c;
        } else if (c == '(') {
            ++depth;
        } else if (c == ')' && depth > 0) {
            if (--depth == 0) out += ' ';
        } else if (depth == 0) {
            quoted = c == '"';
            out += c;
        }
    }
    return out;
}

namespace {

// Reads "value; name=value; name="quoted"…" as senders write it, not only as RFC 2045, 5.1 has it.
class StructuredReader {
public:
    explicit StructuredReader(std::string_view value) noexcept : in_(value) {}

    Structured read() {
        Structured out;
        out.value = text::lower(read_until(";", false));
        while (at_ < in_.size() && out.parameters.size() < kMaxParameters) {
            ++at_;  // the ';'
            Parameter parameter;
            parameter.name = text::lower(read_until("=;", false));
            if (at_ < in_.size() && in_[at_] == '=') {
                ++at_;
                parameter.value = read_until(";", true);
            }
            if (!parameter.name.empty()) out.parameters.push_back(std::move(parameter));
        }
        return out;
    }

private:
    static constexpr std::size_t kMaxParameters = 1000;

    // Text up to one of STOP, comments and white space round it dropped; quoted strings are unquoted where QUOTES.
    std::string read_until(std::string_view stop, bool quotes) {
        std::string out;
        std::size_t keep = 0;  // up to here the end is not to be trimmed
        while (at_ < in_.size() && stop.find(in_[at_]) == std::string_view::npos) {
            const char c = in_[at_];
            if (c == '(' && (!quotes || out.empty() || text::is_space(in_[at_ - 1]))) {
                // Not in "n=report(1).pdf", which some senders do not quote.
                skip_comment();
            } else if (c == '"' && quotes) {
                read_quoted(out);
                keep = out.size();
            } else {
                ++at_;
                if (c == '\r' || c == '\n') continue;
                if (text::is_space(c)) {
                    // Inside an unquoted file name a space counts ("filename=my file.pdf"); elsewhere it means nothing.
                    if (quotes && !out.empty()) out += c;
                    continue;
                }
                out += c;
                keep = out.size();
            }
        }
        out.resize(keep);
        return out;
    }

    void read_quoted(std::string& out) {
        for (++at_; at_ < in_.size(); ++at_) {
            const char c = in_[at_];
            if (c == '"') {
                ++at_;
                return;
            }
            if (c == '\\' && at_ + 1 < in_.size()) {
                out += in_[++at_];
            } else if (c != '\r' && c != '\n') {
                out += c;
            }
        }
    }

    void skip_comment() noexcept {
        std::size_t depth = 0;
        for (; at_ < in_.size(); ++at_) {
            if (in_[at_] == '\\') {
                if (++at_ >= in_.size()) break;
            } else if (in_[at_] == '(') {
                ++depth;
            } else if (in_[at_] == ')' && --depth == 0) {
                ++at_;
                return;
            }
        }
    }

    std::string_view in_;
    std::size_t at_ = 0;
};

}  // namespace

Structured parse_structured(std::string_view value) { return StructuredReader(value).read(); }

}  // namespace gk::message
