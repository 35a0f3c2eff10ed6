// SPDX-License-Identifier: MIT
#include "common/imap/mailbox_name.hpp"

#include "common/base/text.hpp"
#include "common/charset/mutf7.hpp"
#include "common/imap/format/format.hpp"

namespace gk::imap {

std::optional<std::string> decode_mailbox(std::string_view wire, bool utf8) {
    if (utf8 || !text::is_ascii(wire)) {
        if (!text::is_utf8(wire)) return std::nullopt;
        return std::string(wire);
    }
    return charset::from_mutf7(wire);
}

void append_mailbox(std::string& out, std::string_view name, bool utf8) {
    // Always quoted: every client reads that, and not every client reads all atoms.
    if (utf8) append_string(out, name, true);
    else append_string(out, charset::to_mutf7(name), false);
}

bool matches_pattern(std::string_view pattern, std::string_view name) {
    const bool in_inbox = name == "INBOX" || name.substr(0, 6) == "INBOX/";
    // After a mismatch, the last wildcard takes one more character; "%" may not take a separator, and then the last
    // "*" before it is asked.
    constexpr std::size_t kNone = std::string_view::npos;
    std::size_t p = 0, n = 0, star_p = kNone, star_n = 0, percent_p = kNone, percent_n = 0;
    for (;;) {
        if (p < pattern.size() && pattern[p] == '*') {
            star_p = ++p;
            star_n = n;
            percent_p = kNone;
            continue;
        }
        if (p < pattern.size() && pattern[p] == '%') {
            percent_p = ++p;
            percent_n = n;
            continue;
        }
        if (n == name.size() && p == pattern.size()) return true;
        if (n < name.size() && p < pattern.size()) {
            const bool same =
                in_inbox && n < 5 ? text::to_lower(pattern[p]) == text::to_lower(name[n]) : pattern[p] == name[n];
            if (same) {
                ++p;
                ++n;
                continue;
            }
        }
        if (percent_p != kNone && percent_n < name.size() && name[percent_n] != kSeparator) {
            p = percent_p;
            n = ++percent_n;
        } else if (star_p != kNone && star_n < name.size()) {
            p = star_p;
            n = ++star_n;
            percent_p = kNone;
        } else {
            return false;
        }
    }
}

}  // namespace gk::imap
