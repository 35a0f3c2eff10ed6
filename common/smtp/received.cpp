// SPDX-License-Identifier: MIT
#include "common/smtp/received.hpp"

#include "common/base/text.hpp"

namespace gk::smtp {
namespace {

// RFC 3848, and RFC 6531, 4.3 for UTF8SMTP.
std::string protocol(const Session& session) {
    if (!session.extended()) return "SMTP";
    std::string name = session.mail().smtputf8 ? "UTF8SMTP" : "ESMTP";
    if (session.tls()) name += 'S';
    if (!session.account().empty()) name += 'A';
    return name;
}

}  // namespace

std::string format_received(const Session& session, const std::string& client_ip, const std::string& id,
                            const std::string& for_address, TimePoint when) {
    // RFC 6531, 3.7.3: a name that is not ASCII may stand only in a message that is SMTPUTF8.
    const bool tellable = session.mail().smtputf8 || text::is_ascii(session.helo());
    if (session.settings().service == Service::Local)
        return "Received: by " + session.settings().hostname + " (gk, from " + session.account() + ") id " + id +
               (for_address.empty() ? "" : "\r\n\tfor <" + for_address + ">") + ";\r\n\t" + format_mail_date(when) +
               "\r\n";
    std::string field = "Received: from " + (tellable ? session.helo() : "unknown");
    if (!client_ip.empty())
        field += client_ip.find(':') == std::string::npos ? " ([" + client_ip + "])" : " ([IPv6:" + client_ip + "])";
    field += "\r\n\tby " + session.settings().hostname + " with " + protocol(session) + " id " + id;
    if (!for_address.empty()) field += "\r\n\tfor <" + for_address + ">";
    if (session.tls() && !session.tls()->cipher.empty())
        field += "\r\n\ttls " + session.tls()->cipher;  // RFC 8314, 4.3
    return field + ";\r\n\t" + format_mail_date(when) + "\r\n";
}

std::string format_missing_fields(const Session& session, const std::string& id, TimePoint when) {
    std::string fields;
    if (!session.header().has_date()) fields += "Date: " + format_mail_date(when) + "\r\n";
    if (!session.header().has_message_id())
        fields += "Message-ID: <" + id + "@" + session.settings().hostname + ">\r\n";
    const bool local = session.settings().service == Service::Local;
    const std::string author = local ? session.mail().path.to_string() : session.account();
    if (session.header().from().empty() && !author.empty()) fields += "From: <" + author + ">\r\n";
    return fields;
}

}  // namespace gk::smtp
