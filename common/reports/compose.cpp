// SPDX-License-Identifier: MIT
#include "common/reports/compose.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "common/base/text.hpp"
#include "common/message/header.hpp"

namespace gk::reports {
namespace {

std::string base64_lines(std::string_view bytes) {
    constexpr std::size_t kOctetsOfLine = 57;  // 76 characters (RFC 2045, 6.8)
    std::string out;
    out.reserve(bytes.size() / 3 * 4 + bytes.size() / kOctetsOfLine * 2 + 8);
    for (; !bytes.empty(); bytes.remove_prefix(std::min(kOctetsOfLine, bytes.size())))
        out += text::to_base64(bytes.substr(0, kOctetsOfLine)) + "\r\n";
    return out;
}

// A phrase before an address: quoted, or as encoded words.
std::string phrase(std::string_view name) {
    if (!text::is_ascii(name)) return message::encode_words(name);
    std::string out = "\"";
    for (const char c : name) {
        if (c == '"' || c == '\\') out += '\\';
        out += c < ' ' || c == 0x7F ? ' ' : c;
    }
    return out + "\"";
}

}  // namespace

std::string ReportName::file_name() const {
    return fmt::format("{}!{}!{}!{}!{}.{}.gz", submitter, domain, begin_s, end_s, report_id,
                       kind == Kind::Dmarc ? "xml" : "json");
}

std::string ReportName::subject() const {
    return fmt::format("Report Domain: {} Submitter: {} Report-ID: <{}@{}>", domain, submitter, report_id, submitter);
}

std::string report_id_of(Kind kind, std::string_view sender, std::string_view domain, std::int64_t day) {
    const std::string what = fmt::format("{}\n{}\n{}\n{}", kind == Kind::Dmarc ? "dmarc" : "tls", text::lower(sender),
                                         text::lower(domain), day);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    (void)::EVP_Digest(what.data(), what.size(), digest, &length, ::EVP_sha256(), nullptr);
    return text::to_hex(std::string_view(reinterpret_cast<const char*>(digest), 16));
}

std::string compose_report(const ReportName& name, const Sender& sender, std::string_view to, std::string_view summary,
                           std::string_view gzip, TimePoint when) {
    const bool tls = name.kind == Kind::Tls;
    const std::string boundary = fmt::format("=_{}", name.report_id);
    std::string out = fmt::format("Date: {}\r\nFrom: {} <{}>\r\nTo: <{}>\r\n", format_mail_date(when),
                                  phrase(sender.organization), sender.address, to);
    // The names may be long; each stands on a line of its own.
    out += fmt::format("Subject: Report Domain: {}\r\n Submitter: {}\r\n Report-ID: <{}@{}>\r\n", name.domain,
                       name.submitter, name.report_id, name.submitter);
    out += fmt::format("Message-ID: <{}.{}@{}>\r\n", name.report_id,
                       report_id_of(name.kind, to, name.domain, 0).substr(0, 8), name.submitter);
    out += "Auto-Submitted: auto-generated\r\n";  // RFC 3834, 5
    if (tls) {
        out += fmt::format("TLS-Report-Domain: {}\r\nTLS-Report-Submitter: {}\r\n", name.domain, name.submitter);
        // RFC 8460, 3: a report of broken TLS must not be stopped by it (RFC 8689, 4).
        out += "TLS-Required: No\r\n";
    }
    out += "MIME-Version: 1.0\r\n";
    out += fmt::format("Content-Type: multipart/{}; boundary=\"{}\"\r\n\r\n",
                       tls ? "report; report-type=\"tlsrpt\"" : "mixed", boundary);
    out += fmt::format("This is a report in MIME format.\r\n\r\n--{}\r\n", boundary);
    const bool ascii = text::is_ascii(summary);
    out += fmt::format("Content-Type: text/plain; charset={}\r\nContent-Transfer-Encoding: {}\r\n\r\n{}\r\n--{}\r\n",
                       ascii ? "us-ascii" : "utf-8", ascii ? "7bit" : "8bit", summary, boundary);
    out += fmt::format(
        "Content-Type: application/{}\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment;\r\n filename=\"{}\"\r\n\r\n",
        tls ? "tlsrpt+gzip" : "gzip", name.file_name());
    out += base64_lines(gzip);
    return out + fmt::format("\r\n--{}--\r\n", boundary);
}

}  // namespace gk::reports
