// SPDX-License-Identifier: MIT
#include "common/submit/header.hpp"

#include <algorithm>
#include <array>

#include "common/address/list.hpp"
#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/message/header.hpp"
#include "common/smtp/command.hpp"

namespace gk::submit {
namespace {

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
    return std::any_of(names.begin(), names.end(), [&](auto each) { return text::equals_nocase(name, each); });
}

constexpr std::array<std::string_view, 3> kDropped = {"Bcc", "Resent-Bcc", "Return-Path"};
constexpr std::array<std::string_view, 9> kWithAddresses = {
    "From", "Sender", "Reply-To", "To", "Cc", "Resent-From", "Resent-To", "Resent-Cc", "Resent-Sender"};
constexpr std::array<std::string_view, 3> kRecipients = {"To", "Cc", "Bcc"};
constexpr std::array<std::string_view, 3> kResentRecipients = {"Resent-To", "Resent-Cc", "Resent-Bcc"};

// A display name as a phrase: atoms and encoded words as they are, anything else quoted (RFC 5322, 3.2.5).
std::string phrase(const std::string& name) {
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return text::is_alpha(c) || text::is_digit(c) || static_cast<unsigned char>(c) >= 0x80 ||
               std::string_view(" !#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
    });
    if (plain) return name;
    std::string quoted = "\"";
    for (const char c : name) {
        if (c == '"' || c == '\\') quoted += '\\';
        if (c != '\r' && c != '\n') quoted += c;
    }
    return quoted + '"';
}

std::string mailbox_text(const address::Listed& entry, const std::string& domain) {
    const address::Address address{entry.local_part, entry.domain.empty() ? domain : entry.domain};
    if (entry.name.empty()) return address.text();
    return phrase(entry.name) + " <" + address.text() + ">";
}

bool wants_domain(const address::Listed& entry) {
    return entry.kind == address::Listed::Kind::Mailbox && entry.domain.empty() && !entry.local_part.empty();
}

// The field with every bare name qualified; as it was where there is none.
std::string qualified_field(const message::Field& field, const std::string& domain) {
    const auto list = address::parse_list(field.value);
    if (std::none_of(list.begin(), list.end(), wants_domain)) return std::string(field.whole);
    std::string out = std::string(field.name) + ":";
    bool first = true, group_begins = false;
    for (const auto& entry : list) {
        using Kind = address::Listed::Kind;
        if (entry.kind == Kind::GroupEnd) {
            out += ';';
            continue;
        }
        out += first || group_begins ? " " : ",\r\n ";
        first = false;
        group_begins = entry.kind == Kind::GroupBegin;
        out += group_begins ? phrase(entry.name) + ":" : mailbox_text(entry, domain);
    }
    return out + "\r\n";
}

void add_recipients(std::vector<std::string>& to, std::string_view value, const std::string& domain) {
    for (const auto& entry : address::parse_list(value))
        if (entry.kind == address::Listed::Kind::Mailbox && !entry.local_part.empty())
            to.push_back(address::Address{entry.local_part, entry.domain.empty() ? domain : entry.domain}.text());
}

}  // namespace

bool is_header_line(std::string_view line, bool first) noexcept {
    if (line.empty()) return false;
    if (line[0] == ' ' || line[0] == '\t') return !first;
    if (first && (line.starts_with("From ") || line.starts_with(">From "))) return true;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    auto name = line.substr(0, colon);
    while (name.ends_with(' ') || name.ends_with('\t')) name.remove_suffix(1);  // RFC 5322, 4.5
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Prepared prepare_header(std::string_view block, const Author& author, const std::string& unique, TimePoint when) {
    Prepared prepared;
    std::vector<std::string> resent;
    bool has_from = false, has_date = false, has_message_id = false, has_resent = false, resent_is_over = false;
    std::vector<std::string>
        resent_names;  // of the first block: a name that comes again begins the next (RFC 5322, 3.6.6)
    message::FieldReader fields(block);
    for (message::Field field; fields.next(field);) {
        const auto first_line = field.whole.substr(0, field.whole.find('\n'));
        const bool is_mailbox_line = first_line.starts_with("From ") || first_line.starts_with(">From ");
        if (field.name.empty() || is_mailbox_line) continue;  // "From ann Mon Jan  1 …"
        const bool is_resent = text::starts_with_nocase(field.name, "Resent-");
        if (is_resent) {
            const std::string name = text::lower(field.name);
            resent_is_over =
                resent_is_over || std::find(resent_names.begin(), resent_names.end(), name) != resent_names.end();
            resent_names.push_back(name);
            has_resent = has_resent || is_one_of(field.name, kResentRecipients);
            if (!resent_is_over && is_one_of(field.name, kResentRecipients))
                add_recipients(resent, field.value, author.domain);
        }
        if (is_one_of(field.name, kRecipients)) add_recipients(prepared.recipients, field.value, author.domain);
        if (is_one_of(field.name, kDropped)) continue;
        has_from = has_from || text::equals_nocase(field.name, "From");
        has_date = has_date || text::equals_nocase(field.name, "Date");
        has_message_id = has_message_id || text::equals_nocase(field.name, "Message-ID");
        if (is_one_of(field.name, kWithAddresses)) prepared.header += qualified_field(field, author.domain);
        else prepared.header += field.whole;
    }
    if (has_resent) prepared.recipients = std::move(resent);
    std::string added;
    if (!has_from) {
        const std::string name = message::encode_words(author.full_name);
        added +=
            "From: " +
            (name.empty() ? author.address
                          : (text::is_ascii(author.full_name) ? phrase(name) : name) + " <" + author.address + ">") +
            "\r\n";
    }
    if (!has_date) added += "Date: " + format_mail_date(when) + "\r\n";
    if (!has_message_id) added += "Message-ID: <" + unique + "@" + author.domain + ">\r\n";
    prepared.header += added;
    return prepared;
}

Result<std::string> qualify(std::string_view address, const std::string& domain) {
    const auto bad = [&] { return fail(Errc::BadInput, "'" + text::printable(address, 200) + "' is not an address"); };
    std::string whole(text::trim(address));
    if (whole.find_first_of("<\"(") != std::string::npos) {
        const auto list = address::parse_list(whole);
        if (list.size() != 1 || list[0].kind != address::Listed::Kind::Mailbox || list[0].local_part.empty())
            return bad();
        whole = address::Address{list[0].local_part, list[0].domain.empty() ? domain : list[0].domain}.text();
    } else if (whole.find('@') == std::string::npos) {
        whole += "@" + domain;
    }
    const auto path = smtp::parse_mailbox(whole);  // what gk-smtpd will read
    if (!path || path->domain.empty()) return bad();
    return path->to_string();
}

Result<std::vector<std::string>> qualify_list(std::string_view addresses, const std::string& domain) {
    std::vector<std::string> out;
    if (addresses.find(',') == std::string_view::npos) {
        GK_TRY(std::string one, qualify(addresses, domain));
        out.push_back(std::move(one));
        return out;
    }
    for (const auto& entry : address::parse_list(addresses)) {
        if (entry.kind != address::Listed::Kind::Mailbox) continue;
        GK_TRY(std::string one, qualify(address::Address{entry.local_part, entry.domain}.text(), domain));
        out.push_back(std::move(one));
    }
    if (out.empty()) return fail(Errc::BadInput, "'" + text::printable(addresses, 200) + "' is not an address");
    return out;
}

}  // namespace gk::submit
