// SPDX-License-Identifier: MIT
#include "common/imap/grammar/message_url.hpp"

#include "common/base/text.hpp"

namespace gk::imap {

namespace {

constexpr std::string_view kScheme = "imap://";

// RFC 3986, 2.1. Nothing where an escape is malformed or hides a NUL or a line end.
std::optional<std::string> unescaped(std::string_view s) {
    std::string out;
    for (std::size_t i = 0; i < s.size(); ++i) {
        char c = s[i];
        if (c == '%') {
            const auto byte = i + 2 < s.size() ? text::from_hex(s.substr(i + 1, 2)) : std::nullopt;
            if (!byte || byte->size() != 1) return std::nullopt;
            c = byte->front();
            i += 2;
        }
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) return std::nullopt;
        out += c;
    }
    return out;
}

std::optional<std::uint32_t> nz_number(std::string_view s) {
    const auto number = text::to_uint(s);
    if (!number || *number == 0 || *number > UINT32_MAX) return std::nullopt;
    return static_cast<std::uint32_t>(*number);
}

// partial-range = number ["." nz-number]; without a length, to the end
std::optional<Partial> range(std::string_view s) {
    const std::size_t dot = s.find('.');
    const auto offset = text::to_uint(s.substr(0, dot));
    const auto length =
        dot == std::string_view::npos ? std::optional<std::uint64_t>(INT64_MAX) : text::to_uint(s.substr(dot + 1));
    if (!offset || *offset > INT64_MAX || !length || *length == 0 || *length > INT64_MAX) return std::nullopt;
    return Partial{*offset, *length};
}

// iserver = [iuserinfo "@"] host [":" port]; iuserinfo = enc-user [";AUTH=" …]
bool take_server(std::string_view server, MessageUrl& url) {
    if (const std::size_t at = server.rfind('@'); at != std::string_view::npos) {
        const std::string_view info = server.substr(0, at);
        const auto user = unescaped(info.substr(0, info.find(';')));
        if (!user) return false;
        url.user = *user;
        server.remove_prefix(at + 1);
    }
    if (!server.starts_with('['))  // of an IPv6 address
        server = server.substr(0, server.find(':'));
    url.host = server;
    return !url.host.empty();
}

bool take_parameter(std::string_view parameter, MessageUrl& url) {
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string name = text::upper(parameter.substr(0, equals));
    const auto value = unescaped(parameter.substr(equals + 1));
    if (!value) return false;
    if (name == "UIDVALIDITY" && !url.uidvalidity && url.uid == 0) {
        url.uidvalidity = nz_number(*value);
        return url.uidvalidity.has_value();
    }
    if (name == "UID" && url.uid == 0) {
        url.uid = nz_number(*value).value_or(0);
        return url.uid != 0;
    }
    if (url.uid == 0) return false;  // what follows is of a message
    if (name == "SECTION" && url.section == Section{}) {
        auto section = parse_section(*value);
        if (!section || value->empty()) return false;
        url.section = std::move(*section);
        return true;
    }
    if (name == "PARTIAL" && !url.partial) {
        url.partial = range(*value);
        return url.partial.has_value();
    }
    return false;
}

}  // namespace

// imessagepart = enc-mailbox [";UIDVALIDITY=" nz-number] "/;UID=" nz-number ["/;SECTION=" enc-section]
//                ["/;PARTIAL=" partial-range]; RFC 5092, 11. In CATENATE relative to the server ("/INBOX/;UID=20"), to
// the mailbox that is selected ("/;UID=20" and ";UID=20"), or absolute.
std::optional<MessageUrl> parse_message_url(std::string_view text) {
    MessageUrl url;
    if (text::starts_with_nocase(text, kScheme)) {
        text.remove_prefix(kScheme.size());
        const std::size_t slash = text.find('/');
        // A server named without a mailbox names no message. Its ";AUTH=*" ends before the "@".
        if (slash == std::string_view::npos || !take_server(text.substr(0, slash), url)) return std::nullopt;
        text.remove_prefix(slash);
    }
    if (text.starts_with('/')) text.remove_prefix(1);
    // RFC 3986, 4.2: a relative reference has no ":" in its first segment; it would be another scheme's.
    else if (text.substr(0, text.find('/')).find(':') != std::string_view::npos) return std::nullopt;
    const std::size_t semicolon = text.find(';');
    if (semicolon == std::string_view::npos) return std::nullopt;
    std::string_view path = text.substr(0, semicolon);
    if (path.ends_with('/')) path.remove_suffix(1);
    auto mailbox = unescaped(path);
    if (!mailbox || !text::is_utf8(*mailbox)) return std::nullopt;
    url.mailbox = std::move(*mailbox);
    if (url.mailbox.empty() && !url.host.empty()) return std::nullopt;
    text.remove_prefix(semicolon + 1);
    for (std::string_view parameter : text::split(text, ';')) {
        if (parameter.ends_with('/')) parameter.remove_suffix(1);
        if (!take_parameter(parameter, url)) return std::nullopt;
    }
    if (url.uid == 0) return std::nullopt;
    return url;
}

}  // namespace gk::imap
