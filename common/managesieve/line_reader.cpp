// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/base/text.hpp"
#include "common/managesieve/command.hpp"

namespace gk::managesieve {

namespace {

bool is_word_char(char c) {
    return text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_' || c == '/' || c == '.' || c == '*';
}

}  // namespace

std::optional<Line> LineReader::next() {
    while (!gave_up_) {
        switch (step()) {
            case Step::More: return std::nullopt;
            case Step::Token: continue;
            case Step::End: {
                buffer_.erase(0, at_);
                at_ = plain_ = 0;
                kept_ = 0;
                return std::exchange(line_, {});
            }
        }
    }
    return std::nullopt;
}

// One thing more of the line. What is before at_ is done with; a literal's octets are taken as they come.
LineReader::Step LineReader::step() {
    if (in_literal_) return literal();
    if (at_ < buffer_.size() && line_.error.empty()) {
        const char c = buffer_[at_];
        if (c == ' ') {
            if (++at_, ++plain_ > limits_.line) gave_up_ = true;
            return Step::Token;
        }
        if (c == '"') return quoted();
        if (c != '\r' && c != '\n') return word();
    }
    // The end of the line, or of what is wrong with it.
    const std::size_t end = buffer_.find('\n', at_);
    const std::size_t length = (end == std::string::npos ? buffer_.size() : end) - at_;
    if (length + plain_ > limits_.line) {
        gave_up_ = true;
        return Step::More;
    }
    if (end == std::string::npos) return Step::More;
    std::string_view rest(buffer_.data() + at_, length);
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    at_ = end + 1;
    plain_ += length + 1;
    if (!rest.empty() && line_.error.empty()) spoil("a CR in the middle of a line");
    // A bad line takes its literals along: their octets are no commands.
    if (const auto open = rest.rfind('{');
        !line_.error.empty() && open != std::string_view::npos && rest.ends_with("+}"))
        if (const auto size = text::to_uint(rest.substr(open + 1, rest.size() - open - 3))) {
            if (*size > limits_.skipped) gave_up_ = true;
            left_ = *size;
            in_literal_ = true;
            line_.tokens.emplace_back().dropped = true;
            return Step::Token;
        }
    return Step::End;
}

LineReader::Step LineReader::literal() {
    auto& token = line_.tokens.back();
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, buffer_.size() - at_));
    if (!token.dropped) token.text.append(buffer_, at_, count);
    buffer_.erase(0, at_ + count);
    at_ = 0;
    left_ -= count;
    if (left_ > 0) return Step::More;
    in_literal_ = false;
    return Step::Token;
}

// quoted = <"> *QUOTED-CHAR <">, where a backslash stands before another and before <">.
LineReader::Step LineReader::quoted() {
    std::string text;
    for (std::size_t i = at_ + 1; i < buffer_.size(); ++i) {
        if (i - at_ + plain_ > limits_.line) {
            gave_up_ = true;
            return Step::More;
        }
        const char c = buffer_[i];
        if (c == '"') {
            plain_ += i + 1 - at_;
            at_ = i + 1;
            if (!text::is_utf8(text)) spoil("a quoted string is UTF-8");
            line_.tokens.push_back({Token::Kind::String, std::move(text), 0, false});
            if (line_.tokens.size() > limits_.tokens) spoil("too many arguments");
            return Step::Token;
        }
        if (c == '\r' || c == '\n' || c == '\0') {
            spoil("a quoted string without its end");
            return Step::Token;
        }
        if (c != '\\') {
            text += c;
            continue;
        }
        if (++i == buffer_.size()) break;
        if (buffer_[i] != '"' && buffer_[i] != '\\') {
            spoil("a backslash in a quoted string stands before a quote or another backslash");
            return Step::Token;
        }
        text += buffer_[i];
    }
    if (buffer_.size() - at_ + plain_ > limits_.line) gave_up_ = true;
    return Step::More;
}

// A word, a number, or what announces a literal. It is whole once what follows it is there.
LineReader::Step LineReader::word() {
    const bool literal = buffer_[at_] == '{';
    std::size_t end = at_;
    if (literal) {
        end = buffer_.find('\n', at_);
        if (end == std::string::npos) end = buffer_.size();
    } else {
        while (end < buffer_.size() && is_word_char(buffer_[end])) ++end;
    }
    if (end - at_ + plain_ > limits_.line) gave_up_ = true;
    if (gave_up_ || end == buffer_.size()) return Step::More;
    std::string_view text(buffer_.data() + at_, end - at_);
    if (!literal) {
        if (const char after = buffer_[end]; text.empty() || (after != ' ' && after != '\r' && after != '\n')) {
            spoil("that is neither a word nor a string");
            return Step::Token;
        }
        const auto number = text::to_uint(text);
        line_.tokens.push_back(
            {number ? Token::Kind::Number : Token::Kind::Word, text::upper(text), number.value_or(0), false});
        if (line_.tokens.size() > limits_.tokens) spoil("too many arguments");
        plain_ += text.size();
        at_ = end;
        return Step::Token;
    }
    // literal-c2s = "{" number "+}" CRLF *OCTET
    if (text.ends_with('\r')) text.remove_suffix(1);
    const auto size =
        text.size() > 3 && text.ends_with("+}") ? text::to_uint(text.substr(1, text.size() - 3)) : std::nullopt;
    if (!size) {
        spoil("a literal is announced as {number+}");
        return Step::Token;
    }
    if (*size > limits_.skipped) {
        gave_up_ = true;
        return Step::More;
    }
    plain_ += end + 1 - at_;
    at_ = end + 1;
    // No command has more than one script, and names.
    const bool dropped = *size > limits_.literal || kept_ + *size > limits_.literal + limits_.line;
    if (!dropped) kept_ += *size;
    line_.tokens.push_back({Token::Kind::String, {}, *size, dropped});
    if (line_.tokens.size() > limits_.tokens) spoil("too many arguments");
    left_ = *size;
    in_literal_ = true;
    return Step::Token;
}

void LineReader::spoil(std::string why) {
    if (line_.error.empty()) line_.error = std::move(why);
}

}  // namespace gk::managesieve
