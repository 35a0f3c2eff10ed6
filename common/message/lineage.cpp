// SPDX-License-Identifier: MIT
#include "common/message/lineage.hpp"

#include <algorithm>

#include "common/base/digest.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/charset/charset.hpp"
#include "common/message/base_subject.hpp"
#include "common/message/date.hpp"
#include "common/message/header.hpp"

namespace gk::message {

namespace {

// RFC 5322, 2.1.1 has 998 octets in a line; what is longer is no id that anybody made.
constexpr std::size_t kLongestId = 1000;
// As message::Limits has it for a field.
constexpr std::size_t kLongestSubject = 64 << 10;

// The position after the quoted string or comment that begins at FROM; where it does not end, the next one.
std::size_t past(std::string_view s, std::size_t from) {
    const bool quoted = s[from] == '"';
    int depth = 0;
    for (std::size_t at = from; at < s.size() && at - from < kLongestId; ++at) {
        if (s[at] == '\\') ++at;
        else if (quoted && s[at] == '"' && at > from) return at + 1;
        else if (!quoted && s[at] == '(') ++depth;
        else if (!quoted && s[at] == ')' && --depth == 0) return at + 1;
    }
    return from + 1;
}

// AT is behind "<"; moves behind ">". Nothing where there is no id.
std::optional<std::string> one_id(std::string_view s, std::size_t& at) {
    std::string id;
    bool quoted = false, has_at = false;
    for (; at < s.size() && id.size() < kLongestId; ++at) {
        const char c = s[at];
        if (c == '"') quoted = !quoted;
        else if (quoted && c == '\\' && at + 1 < s.size()) id += s[++at];
        else if (!quoted && c == '<') return std::nullopt;  // another begins
        else if (!quoted && c == '>') {
            ++at;
            if (!has_at || id.front() == '@' || id.back() == '@') return std::nullopt;
            return id;
        } else if (quoted || !text::is_space(c)) {
            has_at = has_at || (!quoted && c == '@');
            id += c;
        }
    }
    return std::nullopt;
}

std::uint64_t digest_of(std::string_view id) { return std::max<std::uint64_t>(1, short_digest(id)); }

}  // namespace

std::vector<std::string> parse_message_ids(std::string_view value, std::size_t most) {
    std::vector<std::string> ids;
    std::size_t oldest = 1;  // where there are too many: the first stays, from which a conversation has its name
    for (std::size_t at = 0; at < value.size();) {
        const char c = value[at];
        if (c == '"' || c == '(') {
            at = past(value, at);
        } else if (c != '<') {
            ++at;
        } else if (auto id = one_id(value, ++at)) {
            if (ids.size() < most) {
                ids.push_back(std::move(*id));
            } else if (most > 1) {
                ids[oldest] = std::move(*id);
                if (++oldest == most) oldest = 1;
            }
        }
    }
    if (oldest != 1) std::rotate(ids.begin() + 1, ids.begin() + static_cast<std::ptrdiff_t>(oldest), ids.end());
    return ids;
}

Lineage read_lineage(std::string_view block) {
    Lineage lineage;
    std::optional<std::string_view> message_id, references, in_reply_to, date, subject;
    FieldReader reader(block);
    for (Field field; reader.next(field);) {
        const auto take = [&](std::string_view name, std::optional<std::string_view>& into) {
            if (!into && text::equals_nocase(field.name, name)) into = field.value;
        };
        switch (field.name.size()) {
            case 4: take("Date", date); break;
            case 7: take("Subject", subject); break;
            case 10:
                take("Message-ID", message_id);
                take("References", references);
                break;
            case 11: take("In-Reply-To", in_reply_to); break;
            default: break;
        }
    }
    if (message_id)
        if (const auto ids = parse_message_ids(*message_id, 1); !ids.empty()) lineage.own = digest_of(ids.front());
    std::vector<std::string> ancestors;
    if (references) ancestors = parse_message_ids(*references);
    // RFC 5256, 3: without References, the first id of In-Reply-To is the parent.
    if (ancestors.empty() && in_reply_to) ancestors = parse_message_ids(*in_reply_to, 1);
    for (const std::string& id : ancestors) {
        const std::uint64_t digest = digest_of(id);
        if (digest == lineage.own || (!lineage.references.empty() && lineage.references.back() == digest)) continue;
        lineage.references.push_back(digest);
    }
    if (date)
        if (const auto parsed = parse_date(*date)) lineage.sent = to_unix_s(parsed->utc());
    if (subject) {
        const BaseSubject base = base_subject(subject->substr(0, kLongestSubject));
        if (!base.text.empty()) lineage.subject = digest_of(charset::fold_case(base.text));
        lineage.is_reply = base.reply;
    }
    return lineage;
}

}  // namespace gk::message
