// SPDX-License-Identifier: MIT
#include "common/smtp_client/reply.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"

namespace gk::smtp_client {

std::string_view enhanced_code(std::string_view text) noexcept {
    // RFC 3463, 2: class "." 1*3digit "." 1*3digit
    if (text.size() < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5') || text[1] != '.') return {};
    std::size_t at = 2;
    for (int part = 0; part < 2; ++part) {
        std::size_t digits = 0;
        while (at < text.size() && text::is_digit(text[at])) ++at, ++digits;
        if (digits == 0 || digits > 3) return {};
        if (part == 0 && (at >= text.size() || text[at++] != '.')) return {};
    }
    if (at < text.size() && text[at] != ' ') return {};
    return text.substr(0, at);
}

std::string Reply::text() const {
    std::string out = std::to_string(code);
    if (!enhanced.empty()) out += ' ' + enhanced;
    for (const auto& line : lines)
        if (!line.empty()) out += ' ' + text::printable(line, 500);
    return out;
}

std::string Reply::status() const {
    // RFC 3463, 2: a code of another class than the reply's would be a contradiction; the reply decides.
    if (!enhanced.empty() && enhanced[0] - '0' == code / 100) return enhanced;
    return fmt::format("{}.0.0", code >= 200 && code < 600 ? code / 100 : 4);
}

Result<bool> ReplyParser::take_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto bad = [&](std::string_view why) {
        return fail(Errc::BadInput, fmt::format("not an SMTP reply ({}): '{}'", why, text::printable(line, 100)));
    };
    if (line.size() < 3 || line[0] < '2' || line[0] > '5' || !text::is_digit(line[1]) || !text::is_digit(line[2]))
        return bad("no code");
    const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return bad("no code");
    if (reply_.code != 0 && reply_.code != code) return bad("the code changes between lines");
    if (reply_.lines.size() >= kMaxLines) return bad("too many lines");
    reply_.code = code;
    const bool last = line.size() == 3 || line[3] == ' ';
    auto text = line.size() > 4 ? line.substr(4) : std::string_view();
    if (const auto enhanced = enhanced_code(text); !enhanced.empty()) {
        if (reply_.enhanced.empty()) reply_.enhanced = enhanced;
        text.remove_prefix(std::min(text.size(), enhanced.size() + 1));
    }
    reply_.lines.emplace_back(text);
    return last;
}

Result<std::optional<Reply>> ReplyParser::feed(std::string_view& bytes) {
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        const auto part = bytes.substr(0, end);
        if (line_.size() + part.size() > kMaxLine) return fail(Errc::BadInput, "not an SMTP reply (endless line)");
        line_ += part;
        if (end == std::string_view::npos) {
            bytes = {};
            break;
        }
        bytes.remove_prefix(end + 1);
        const std::string line = std::exchange(line_, {});
        GK_TRY(const bool last, take_line(line));
        if (last) return std::optional(std::exchange(reply_, {}));
    }
    return std::optional<Reply>();
}

}  // namespace gk::smtp_client
