// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/message/decoder.hpp"
#include "common/message/header.hpp"

namespace gk::message {

namespace {

constexpr std::size_t kMaxWord = 1000;  // RFC 2047, 2 says 75; senders do not listen

struct Word {
    std::string_view charset;
    bool base64 = false;
    std::string_view text;
    std::size_t length = 0;  // of the whole word
};

// "=?charset*language?encoding?text?=" at the begin of S. Spaces in the text are tolerated (old Outlook).
std::optional<Word> word_at(std::string_view s) noexcept {
    s = s.substr(0, kMaxWord);
    if (!s.starts_with("=?")) return std::nullopt;
    const std::size_t charset_end = s.find('?', 2);
    if (charset_end == std::string_view::npos || charset_end == 2 || charset_end + 3 > s.size() ||
        s[charset_end + 2] != '?')
        return std::nullopt;
    const char encoding = text::to_lower(s[charset_end + 1]);
    if (encoding != 'b' && encoding != 'q') return std::nullopt;
    const std::size_t begin = charset_end + 3;
    const std::size_t end = s.find("?=", begin);
    if (end == std::string_view::npos) return std::nullopt;
    Word word;
    word.charset = s.substr(2, charset_end - 2);
    word.charset = word.charset.substr(0, word.charset.find('*'));  // RFC 2231, 5
    word.base64 = encoding == 'b';
    word.text = s.substr(begin, end - begin);
    word.length = end + 2;
    return word;
}

void append_bytes(std::string& out, const Word& word) {
    if (word.base64) {
        out += decode(word.text, Encoding::Base64);
        return;
    }
    const auto digit = [](char c) {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
    };
    const std::string_view s = word.text;
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (s[i] == '_') {
            out += ' ';
        } else if (s[i] == '=' && i + 2 < s.size() && digit(s[i + 1]) >= 0 && digit(s[i + 2]) >= 0) {
            out += static_cast<char>(digit(s[i + 1]) * 16 + digit(s[i + 2]));
            i += 2;
        } else {
            out += s[i];
        }
    }
}

}  // namespace

std::string decode_words(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    std::string bytes;         // of encoded words that follow one another in one charset: a character may be split
    std::string_view charset;  // between them, though RFC 2047, 5 forbids that
    const auto flush = [&] {
        if (!bytes.empty()) out += charset::to_utf8(bytes, charset);
        bytes.clear();
    };
    std::size_t at = 0;
    bool after_word = false;
    while (at < text.size()) {
        // White space between two encoded words is not part of the text (RFC 2047, 6.2).
        std::size_t begin = at;
        if (after_word)
            while (begin < text.size() && text::is_space(text[begin])) ++begin;
        if (begin < text.size() && text[begin] == '=') {
            if (const auto word = word_at(text.substr(begin))) {
                if (!after_word || !text::equals_nocase(word->charset, charset)) flush();
                charset = word->charset;
                append_bytes(bytes, *word);
                at = begin + word->length;
                after_word = true;
                continue;
            }
        }
        flush();
        after_word = false;
        std::size_t next = text.find("=?", begin + 1);
        if (next == std::string_view::npos) next = text.size();
        out += text.substr(at, next - at);
        at = next;
    }
    flush();
    return out;
}

std::string decode_text(std::string_view value) {
    std::string text = unfold(value);
    if (!text::is_utf8(text)) text = charset::to_utf8(text, "windows-1252");
    if (text.find("=?") != std::string::npos) text = decode_words(text);
    for (char& c : text)
        if (c == '\0' || c == '\r' || c == '\n') c = ' ';
    return text;
}

std::string encode_words(std::string_view utf8) {
    const bool plain = std::all_of(utf8.begin(), utf8.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
    if (plain && utf8.find("=?") == std::string_view::npos) return std::string(utf8);
    constexpr std::size_t kBytes = 42;  // with its frame, 68 characters: below 75 (RFC 2047, 2)
    const std::string valid = charset::valid_utf8(utf8);
    std::string out;
    for (std::size_t at = 0; at < valid.size();) {
        std::size_t end = std::min(at + kBytes, valid.size());
        while (end < valid.size() && (static_cast<unsigned char>(valid[end]) & 0xC0) == 0x80) --end;
        if (!out.empty()) out += ' ';
        out += "=?UTF-8?B?" + text::to_base64(std::string_view(valid).substr(at, end - at)) + "?=";
        at = end;
    }
    return out;
}

}  // namespace gk::message
