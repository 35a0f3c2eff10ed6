// SPDX-License-Identifier: MIT
#include "common/message/base_subject.hpp"

#include "common/base/text.hpp"
#include "common/message/header.hpp"

namespace gk::message {

namespace {

// The names are those of the grammar in RFC 5256, 5.

bool is_wsp(char c) { return c == ' ' || c == '\t'; }

std::size_t after_wsp(std::string_view s, std::size_t at) {
    while (at < s.size() && is_wsp(s[at])) ++at;
    return at;
}

// The length of the subj-blob that S has at AT ("[" *BLOBCHAR "]" *WSP), else 0.
std::size_t blob(std::string_view s, std::size_t at) {
    if (at >= s.size() || s[at] != '[') return 0;
    const std::size_t end = s.find_first_of("[]", at + 1);
    if (end == std::string_view::npos || s[end] != ']') return 0;
    return after_wsp(s, end + 1) - at;
}

// The length of the subj-refwd at AT (("re" / "fw" ["d"]) *WSP [subj-blob] ":"), else 0.
std::size_t refwd(std::string_view s, std::size_t at) {
    const std::string_view rest = s.substr(at);
    std::size_t end = at;
    if (text::starts_with_nocase(rest, "re")) end += 2;
    else if (text::starts_with_nocase(rest, "fwd")) end += 3;
    else if (text::starts_with_nocase(rest, "fw")) end += 2;
    else return 0;
    end = after_wsp(s, end);
    end += blob(s, end);
    return end < s.size() && s[end] == ':' ? end + 1 - at : 0;
}

// Removes subj-leaders: white space, and subj-refwds with the blobs before them.
bool remove_leaders(std::string_view& s, bool& reply) {
    const std::size_t before = s.size();
    for (;;) {
        s.remove_prefix(after_wsp(s, 0));
        std::size_t at = 0;
        while (const std::size_t length = blob(s, at)) at += length;
        const std::size_t length = refwd(s, at);
        if (length == 0) return s.size() != before;
        reply = true;
        s.remove_prefix(at + length);
    }
}

bool remove_trailers(std::string_view& s, bool& reply) {
    const std::size_t before = s.size();
    for (;;) {
        while (!s.empty() && is_wsp(s.back())) s.remove_suffix(1);
        if (s.size() < 5 || !text::equals_nocase(s.substr(s.size() - 5), "(fwd)")) return s.size() != before;
        s.remove_suffix(5);
        reply = true;
    }
}

std::string one_line(std::string_view raw) {
    const std::string decoded = decode_text(raw);
    std::string out;
    for (const char c : decoded) {
        const bool space = is_wsp(c) || c == '\r' || c == '\n';
        if (space && !out.empty() && out.back() == ' ') continue;
        out += space ? ' ' : c;
    }
    return out;
}

}  // namespace

BaseSubject base_subject(std::string_view raw) {
    BaseSubject base;
    const std::string line = one_line(raw);  // step 1
    std::string_view s = line;
    for (;;) {
        remove_trailers(s, base.reply);  // step 2
        for (;;) {
            bool again = remove_leaders(s, base.reply);  // step 3
            // Step 4: a blob goes only where something stays.
            while (const std::size_t length = blob(s, 0)) {
                if (length == s.size()) break;
                s.remove_prefix(length);
                again = true;
            }
            if (!again) break;  // step 5
        }
        // Step 6
        if (s.size() < 6 || !text::starts_with_nocase(s, "[fwd:") || s.back() != ']') break;
        s.remove_prefix(5);
        s.remove_suffix(1);
        base.reply = true;
    }
    base.text = s;
    return base;
}

}  // namespace gk::message
