// SPDX-License-Identifier: MIT
#include "common/message/subject.hpp"

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/message/header.hpp"

namespace gk::message {

namespace {

// subj-blob = "[" *BLOBCHAR "]" *WSP: the position after it, or FROM.
std::size_t past_blob(std::string_view s, std::size_t from) {
    if (from >= s.size() || s[from] != '[') return from;
    const auto end = s.find_first_of("[]", from + 1);
    if (end == std::string_view::npos || s[end] != ']') return from;
    const auto next = s.find_first_not_of(' ', end + 1);
    return next == std::string_view::npos ? s.size() : next;
}

// subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
std::size_t past_refwd(std::string_view s, std::size_t from) {
    const auto rest = s.substr(from);
    std::size_t at = from;
    if (text::starts_with_nocase(rest, "re")) at += 2;
    else if (text::starts_with_nocase(rest, "fwd")) at += 3;
    else if (text::starts_with_nocase(rest, "fw")) at += 2;
    else return from;
    while (at < s.size() && s[at] == ' ') ++at;
    at = past_blob(s, at);
    return at < s.size() && s[at] == ':' ? at + 1 : from;
}

// subj-leader = (*subj-blob subj-refwd) / WSP
bool drop_leader(std::string_view& s) {
    if (s.starts_with(' ')) {
        s.remove_prefix(1);
        return false;
    }
    std::size_t at = 0;
    for (std::size_t next = past_blob(s, at); next != at; next = past_blob(s, at)) at = next;
    const std::size_t end = past_refwd(s, at);
    if (end == at) return false;
    s.remove_prefix(end);
    return true;
}

}  // namespace

BaseSubject base_subject(std::string_view value) {
    BaseSubject base;
    // Step 1: decoded, and any white space one space.
    std::string decoded;
    for (const char c : decode_text(value)) {
        if (!text::is_space(c)) decoded += c;
        else if (!decoded.ends_with(' ')) decoded += ' ';
    }
    std::string_view s = decoded;
    for (;;) {
        for (;;) {  // step 2
            if (s.ends_with(' ')) {
                s.remove_suffix(1);
            } else if (s.size() >= 5 && text::equals_nocase(s.substr(s.size() - 5), "(fwd)")) {
                s.remove_suffix(5);
                base.is_reply = true;
            } else {
                break;
            }
        }
        for (;;) {  // steps 3 to 5
            const auto before = s.size();
            base.is_reply = drop_leader(s) || base.is_reply;
            if (s.size() != before) continue;
            const std::size_t blob = past_blob(s, 0);
            if (blob == 0 || blob == s.size()) break;
            s.remove_prefix(blob);
        }
        // Step 6
        if (!text::starts_with_nocase(s, "[fwd:") || !s.ends_with(']')) break;
        s = s.substr(5, s.size() - 6);
        base.is_reply = true;
    }
    base.text = charset::fold_case(s);
    return base;
}

}  // namespace gk::message
