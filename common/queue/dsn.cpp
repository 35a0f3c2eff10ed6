// SPDX-License-Identifier: MIT
#include "common/queue/dsn.hpp"

#include <fmt/format.h>

#include "common/address/orcpt.hpp"
#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/queue/dsn_words.hpp"
#include "common/queue/spool.hpp"

namespace gk::queue {
namespace {

constexpr std::size_t kLineWidth = 76;
// Enough of a header block to recognise the message by; larger ones are cut.
constexpr std::size_t kMaxHeaders = 64 * 1024;

constexpr std::size_t kMostShown = 2000;

// A field, folded at blanks (RFC 5322, 2.2.3). VALUE is printable.
std::string field(std::string_view name, std::string_view value) {
    std::string out = fmt::format("{}:", name);
    std::size_t width = out.size();
    for (const auto word : text::words(value)) {
        if (width + 1 + word.size() > kLineWidth && width > 1) {
            out += "\r\n";
            width = 0;
        }
        out += ' ';
        // No line may pass 998 octets (RFC 5322, 2.1.1); a single word so long is cut.
        out += word.substr(0, 900);
        width += 1 + word.size();
    }
    return out + "\r\n";
}

std::string_view action_name(DsnAction action) {
    switch (action) {
        case DsnAction::Failed: return "failed";
        case DsnAction::Delayed: return "delayed";
        case DsnAction::Delivered: return "delivered";
        case DsnAction::Relayed: return "relayed";
        case DsnAction::Expanded: return "expanded";
    }
    return "failed";
}

// RFC 3464, 2.3.4 wants a code, and RFC 3463, 2 its class to agree with the action.
std::string status_of(const RecipientState& state, DsnAction action) {
    const char wanted = action == DsnAction::Failed ? '5' : action == DsnAction::Delayed ? '4' : '2';
    if (state.status.size() < 5) return fmt::format("{}.0.0", wanted);
    return wanted + state.status.substr(1);
}

// Lines of text, each but the first four blanks in.
std::string indented(std::string_view text) {
    return text::replace_all(field("", text).substr(2), "\r\n ", "\r\n    ");
}

bool is_reply(std::string_view s) {
    return s.size() >= 3 && s[0] >= '2' && s[0] <= '5' && text::is_digit(s[1]) && text::is_digit(s[2]) &&
           (s.size() == 3 || s[3] == ' ');
}

std::string typed_address(std::string_view address, bool utf8_dsn) {
    if (text::is_ascii(address)) return fmt::format("rfc822; {}", address);
    return fmt::format("utf-8; {}", utf8_dsn ? std::string(address) : address::encode_utf8_address(address));
}

// "mx.b.test [192.0.2.1]:25" names mx.b.test; where only the address is known, that.
std::string remote_mta(std::string_view peer) {
    if (peer.starts_with(kLmtpPeer)) peer.remove_prefix(kLmtpPeer.size());
    const auto name = peer.substr(0, peer.find(' '));
    return fmt::format("dns; {}",
                       name.substr(0, name.find("]:") == std::string_view::npos ? name.size() : name.find("]:") + 1));
}

std::string recipient_fields(const Envelope& envelope, const RecipientState& state, const DsnRecipient& which,
                             bool utf8_dsn) {
    const Recipient& recipient = envelope.recipients[which.index];
    std::string out = "\r\n";
    if (const auto original = address::parse_orcpt(recipient.orcpt); !original.type.empty()) {
        const bool plain = text::is_ascii(original.address) || utf8_dsn;
        const std::string shown = plain ? original.address : address::encode_utf8_address(original.address);
        // xtext may stand for any byte, line ends too.
        const bool sound = text::is_utf8(shown) && std::none_of(shown.begin(), shown.end(), [](char c) {
                               return (c >= 0 && c < ' ') || c == 0x7f;
                           });
        if (sound) out += field("Original-Recipient", fmt::format("{}; {}", original.type, shown));
    }
    out += field("Final-Recipient", typed_address(recipient.address, utf8_dsn));
    out += field("Action", action_name(which.action));
    out += field("Status", status_of(state, which.action));
    if (!state.peer.empty() && !state.peer.starts_with("unix:")) out += field("Remote-MTA", remote_mta(state.peer));
    const std::string said = text::printable(state.text, kMostShown);
    if (!said.empty())
        out += field("Diagnostic-Code",
                     (is_reply(said) ? "smtp; " : "x-gk; ") + (utf8_dsn ? said : text::ascii_only(said)));
    if (state.last != TimePoint{}) out += field("Last-Attempt-Date", format_mail_date(state.last));
    out += field("Final-Log-ID", envelope.id);
    if (which.action == DsnAction::Delayed) out += field("Will-Retry-Until", format_mail_date(which.will_retry_until));
    return out;
}

// The field body of the original Message-ID, where there is a plain one.
std::string message_id_of(std::string_view headers) {
    std::size_t at = 0;
    while (at < headers.size()) {
        auto end = headers.find('\n', at);
        if (end == std::string_view::npos) end = headers.size();
        const auto line = headers.substr(at, end - at);
        if (line.empty() || line == "\r") break;
        if (text::starts_with_nocase(line, "Message-ID:")) {
            const auto value = text::trim(line.substr(11));
            if (value.size() > 2 && value.size() < 500 && value.front() == '<' && value.back() == '>' &&
                text::is_ascii(value))
                return std::string(value);
        }
        at = end + 1;
    }
    return {};
}

}  // namespace

std::string compose_dsn(const Envelope& envelope, const MessageState& state,
                        const std::vector<DsnRecipient>& recipients, const DsnSettings& settings,
                        std::string_view original, bool original_is_full, const std::string& dsn_id, TimePoint when) {
    // RFC 6533, 4: UTF-8 in the report only where its reader, the original sender, has a UTF-8 address.
    const bool utf8_dsn = !text::is_ascii(envelope.reverse_path);
    const DsnAction action = recipients.empty() ? DsnAction::Failed : recipients[0].action;
    const std::string boundary = "=_" + dsn_id;
    const auto original_id = message_id_of(original);

    std::string out;
    out += field("Date", format_mail_date(when));
    out += field("From", fmt::format("Mail Delivery System <MAILER-DAEMON@{}>", settings.hostname));
    out += field("To", fmt::format("<{}>", envelope.reverse_path));
    out += field("Subject", subject_of(action));
    out += field("Message-ID", fmt::format("<{}@{}>", dsn_id, settings.hostname));
    if (!original_id.empty()) {
        out += field("In-Reply-To", original_id);
        out += field("References", original_id);
    }
    out += "Auto-Submitted: auto-replied\r\n";  // RFC 3834, 5
    out += "MIME-Version: 1.0\r\n";
    out += fmt::format("Content-Type: multipart/report; report-type={}delivery-status;\r\n boundary=\"{}\"\r\n",
                       utf8_dsn ? "global-" : "", boundary);
    out += "\r\nThis is a delivery status notification in MIME format.\r\n";

    out += fmt::format(
        "\r\n--{}\r\nContent-Description: Notification\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: {}\r\n\r\n",
        boundary, utf8_dsn ? "8bit" : "7bit");
    out += fmt::format("This is the mail server {}.\r\n\r\n{}\r\n", settings.hostname, story_of(action));
    for (const auto& which : recipients) {
        const auto& address = envelope.recipients[which.index].address;
        const auto& r = state.recipients[which.index];
        out += fmt::format("<{}>:\r\n",
                           utf8_dsn || text::is_ascii(address) ? address : address::encode_utf8_address(address));
        if (!r.peer.empty() && !r.peer.starts_with("unix:") && is_reply(r.text))
            out += fmt::format("    {} answered\r\n", text::printable(r.peer, 300));
        if (!r.text.empty()) {
            const std::string shown = text::printable(r.text, kMostShown);
            out += "    " + indented(utf8_dsn ? shown : text::ascii_only(shown));
        }
        if (which.action == DsnAction::Delayed)
            out += fmt::format("    It will be tried until {}.\r\n", format_mail_date(which.will_retry_until));
        if (const auto advice = advice_for(which.action, status_of(r, which.action)); !advice.empty())
            out += "\r\n    " + indented(advice);
        out += "\r\n";
    }
    if (action == DsnAction::Failed)
        out += fmt::format("If you need help, ask postmaster@{} and name {}.\r\n\r\n", settings.hostname, envelope.id);

    out += fmt::format("--{}\r\nContent-Description: Delivery report\r\nContent-Type: message/{}delivery-status\r\n",
                       boundary, utf8_dsn ? "global-" : "");
    if (utf8_dsn) out += "Content-Transfer-Encoding: 8bit\r\n";
    out += "\r\n";
    if (!envelope.envid.empty())
        out += field("Original-Envelope-Id", text::ascii_only(text::printable(address::decode_xtext(envelope.envid))));
    out += field("Reporting-MTA", fmt::format("dns; {}", settings.hostname));
    out += field("X-Gk-Queue-Id", envelope.id);
    out += field("Arrival-Date", format_mail_date(envelope.arrival));
    for (const auto& which : recipients)
        out += recipient_fields(envelope, state.recipients[which.index], which, utf8_dsn);

    // RFC 6533, 5: what has UTF-8 in its header fields is message/global.
    const bool global = envelope.smtputf8 && !text::is_ascii(original.substr(0, original.find("\r\n\r\n")));
    const char* type = original_is_full ? (global ? "message/global" : "message/rfc822")
                                        : (global ? "message/global-headers" : "text/rfc822-headers");
    out += fmt::format("\r\n--{}\r\nContent-Description: {}\r\nContent-Type: {}\r\n", boundary,
                       original_is_full ? "Your message" : "Headers of your message", type);
    if (!text::is_ascii(original)) out += "Content-Transfer-Encoding: 8bit\r\n";
    out += "\r\n";
    out += original;
    if (!original.ends_with("\r\n")) out += "\r\n";
    out += fmt::format("\r\n--{}--\r\n", boundary);
    return out;
}

Result<std::string> write_dsn(const std::string& spool_dir, const SpoolFile& file, const MessageState& state,
                              const std::vector<DsnRecipient>& recipients, const DsnSettings& settings) {
    const Envelope& envelope = file.envelope();
    if (envelope.reverse_path.empty() || recipients.empty())
        return fail(Errc::Bug, "a DSN needs a reverse-path and a recipient");
    // RFC 3461, 4.3 and 5.2.9: RET rules failures only; other reports carry the header block.
    // RFC 8689, 5: what came by REQUIRETLS is answered as if RET=HDRS were said.
    const bool full = recipients[0].action == DsnAction::Failed && envelope.ret != Ret::Headers &&
                      !envelope.require_tls && envelope.body != Body::BinaryMime &&
                      file.message_size() <= settings.full_size;
    std::string original;
    if (full) {
        GK_TRY(original, file.read_message(0, static_cast<std::size_t>(file.message_size())));
    } else {
        GK_TRY(original, file.read_message(0, kMaxHeaders));
        auto end = original.find("\r\n\r\n");
        if (end == std::string::npos) end = original.rfind("\r\n");
        if (end != std::string::npos) original.resize(end + 2);
    }

    Envelope dsn;
    dsn.id = new_id();
    dsn.trace_id = envelope.trace_id;
    dsn.is_dsn = true;
    dsn.about = envelope.id;
    dsn.require_tls = envelope.require_tls;
    dsn.smtputf8 = !text::is_ascii(envelope.reverse_path);
    dsn.recipients.push_back({envelope.reverse_path, "", kNotifyNever, {}});  // RFC 3461, 6.2
    const std::string message = compose_dsn(envelope, state, recipients, settings, original, full, dsn.id, now());
    if (!text::is_ascii(message)) dsn.body = Body::EightBitMime;
    GK_TRY(auto writer, SpoolWriter::create(spool_dir, dsn));
    GK_CHECK(writer.write(message));
    return writer.commit("dsn");
}

}  // namespace gk::queue
