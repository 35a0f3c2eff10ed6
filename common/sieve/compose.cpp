// SPDX-License-Identifier: MIT
#include "common/sieve/compose.hpp"

#include "common/address/list.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/message/decoder.hpp"
#include "common/message/header.hpp"

namespace gk::sieve {

namespace {

constexpr std::size_t kFold = 76, kLongestWord = 900;  // a line has at most 998 octets (RFC 5322, 2.1.1)
constexpr std::size_t kMostReferences = 900;           // octets; of more, the first and the last stay

// VALUE becomes one line of words, whatever a script put into it.
void field(std::string& out, std::string_view name, std::string_view value) {
    std::string line = std::string(name) + ':';
    std::size_t column = line.size();
    for (const std::string_view word : text::words(value)) {
        if (column + word.size() + 1 > kFold && column > name.size() + 1) line += "\r\n", column = 0;
        line.append(" ").append(word.substr(0, kLongestWord));
        column += word.size() + 1;
    }
    std::erase(line, '\0');
    out += line + "\r\n";
}

// A mailbox of a script's: its display name may be UTF-8.
void mailbox(std::string& out, std::string_view name, std::string_view value) {
    const auto listed = address::parse_list(value);
    const auto addresses = address::addresses_of(value);
    if (addresses.size() != 1 || listed.size() != 1 || listed[0].name.empty())
        return field(out, name, addresses.size() == 1 ? addresses[0] : value);
    const std::string shown = message::decode_words(listed[0].name);
    std::string phrase = "\"";
    for (const char c : shown) {
        if (c == '"' || c == '\\') phrase += '\\';
        phrase += c;
    }
    phrase += '"';
    field(out, name, (text::is_ascii(shown) ? phrase : message::encode_words(shown)) + " <" + addresses[0] + '>');
}

// The Message-IDs in a field's body.
std::string ids(std::string_view value) {
    std::vector<std::string> found;
    std::size_t size = 0;
    for (const std::string_view word : text::words(value))
        if (word.size() > 2 && word.size() < 500 && word.front() == '<' && word.back() == '>' && text::is_ascii(word)) {
            found.emplace_back(word);
            size += word.size() + 1;
        }
    while (size > kMostReferences && found.size() > 2) {
        size -= found[1].size() + 1;
        found.erase(found.begin() + 1);
    }
    return text::join(found, " ");
}

std::string crlf(std::string_view s) {
    std::string out;
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (s[i] == '\n' && (i == 0 || s[i - 1] != '\r')) out += '\r';
        out += s[i];
    }
    if (!out.ends_with("\r\n")) out += "\r\n";
    return out;
}

// A text part, ready for any transport.
void plain_text(std::string& out, std::string_view body) {
    const std::string lines = crlf(body);
    bool long_line = false;
    for (const std::string_view line : text::split(lines, '\n')) long_line = long_line || line.size() > 900;
    const bool encode = long_line || !text::is_ascii(lines);
    field(out, "Content-Type", encode ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii");
    field(out, "Content-Transfer-Encoding", encode ? "quoted-printable" : "7bit");
    out += "\r\n";
    out += encode ? message::encode_quoted_printable(lines) : lines;
}

void common(std::string& out, const Stamp& stamp) {
    field(out, "Date", format_mail_date(from_unix_s(stamp.now_s)));
    if (!stamp.message_id.empty()) field(out, "Message-ID", stamp.message_id);
}

}  // namespace

std::string compose(const Vacation& vacation, const Stamp& stamp) {
    std::string out;
    mailbox(out, "From", vacation.from);
    field(out, "To", vacation.to);
    field(out, "Subject", message::encode_words(vacation.subject));
    common(out, stamp);
    if (const auto id = ids(vacation.in_reply_to); !id.empty()) field(out, "In-Reply-To", id);
    if (const auto all = ids(vacation.references); !all.empty()) field(out, "References", all);
    field(out, "Auto-Submitted", "auto-replied (vacation)");
    field(out, "X-Auto-Response-Suppress", "All");
    field(out, "MIME-Version", "1.0");
    if (!vacation.mime) return plain_text(out, vacation.reason), out;
    // Of the entity that the script gives, only the fields that describe its content.
    const std::string entity = crlf(vacation.reason);
    const std::size_t length = message::header_length(entity);
    message::FieldReader reader(entity);
    bool kept = true;
    for (message::Field each; reader.next(each);) {
        kept = text::starts_with_nocase(each.name, "Content-");
        if (kept) out += each.whole;
    }
    if (!out.ends_with("\r\n")) out += "\r\n";
    return out += "\r\n" + entity.substr(length);
}

std::string compose(const Notify& notify, std::string_view from, const Stamp& stamp) {
    std::string out;
    const auto addresses = [&](std::string_view name, const std::vector<std::string>& list) {
        if (!list.empty()) field(out, name, text::join(list, ", "));
    };
    mailbox(out, "From", notify.from.empty() ? from : std::string_view(notify.from));
    addresses("To", notify.to);
    addresses("Cc", notify.cc);
    if (notify.to.empty() && notify.cc.empty()) out += "To: undisclosed-recipients:;\r\n";
    field(out, "Subject", message::encode_words(notify.subject));
    common(out, stamp);
    field(out, "Auto-Submitted", notify.auto_submitted);
    field(out, "Importance", notify.importance == 1 ? "High" : notify.importance == 3 ? "Low" : "Normal");
    field(out, "X-Priority",
          notify.importance == 1   ? "1 (Highest)"
          : notify.importance == 3 ? "5 (Lowest)"
                                   : "3 (Normal)");
    for (const auto& [name, value] : notify.fields) field(out, name, message::encode_words(value));
    field(out, "MIME-Version", "1.0");
    plain_text(out,
               notify.body.empty() ? std::string_view("Notification of new mail.") : std::string_view(notify.body));
    return out;
}

}  // namespace gk::sieve
