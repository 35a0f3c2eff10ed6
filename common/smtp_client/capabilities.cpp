// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/smtp_client/session.hpp"

namespace gk::smtp_client {
namespace {

void parse_limits(Capabilities& c, const std::vector<std::string_view>& words) {
    for (const auto word : words) {
        if (text::starts_with_nocase(word, "RCPTMAX=")) c.recipients = text::to_uint(word.substr(8)).value_or(0);
        if (text::starts_with_nocase(word, "MAILMAX=")) c.messages = text::to_uint(word.substr(8)).value_or(0);
        if (text::starts_with_nocase(word, "RCPTDOMAINMAX="))
            c.recipient_domains = text::to_uint(word.substr(14)).value_or(0);
    }
}

}  // namespace

Capabilities parse_capabilities(const Reply& ehlo) {
    Capabilities c;
    c.esmtp = true;
    // The first line is the server's name (RFC 5321, 4.1.1.1).
    for (std::size_t i = 1; i < ehlo.lines.size(); ++i) {
        auto words = text::words(ehlo.lines[i]);
        if (words.empty()) continue;
        // Old Exchange and Netscape servers write AUTH=LOGIN for AUTH LOGIN.
        std::string name = text::upper(words[0]);
        if (name.starts_with("AUTH=")) {
            words[0].remove_prefix(5);
            name = "AUTH";
        } else {
            words.erase(words.begin());
        }
        if (name == "PIPELINING") c.pipelining = true;
        else if (name == "8BITMIME") c.eight_bit = true;
        else if (name == "SMTPUTF8") c.smtputf8 = true;
        else if (name == "STARTTLS") c.starttls = true;
        else if (name == "DSN") c.dsn = true;
        else if (name == "ENHANCEDSTATUSCODES") c.enhanced = true;
        else if (name == "CHUNKING") c.chunking = true;
        else if (name == "BINARYMIME") c.binary = true;
        else if (name == "XGKTRACE") c.trace = true;
        else if (name == "REQUIRETLS") c.requiretls = true;
        else if (name == "LIMITS") parse_limits(c, words);
        else if (name == "SIZE") {
            c.size_given = true;
            if (!words.empty()) c.size = text::to_uint(words[0]).value_or(0);
        } else if (name == "AUTH") {
            for (const auto word : words)
                if (c.auth.size() < 32) c.auth.push_back(text::upper(word));
        }
    }
    return c;
}

void DotStuffer::append(std::string& out, std::string_view piece) {
    while (!piece.empty()) {
        if (pending_cr_) {
            pending_cr_ = false;
            if (piece.front() == '\n') {
                out += "\r\n";
                line_start_ = true;
                piece.remove_prefix(1);
                continue;
            }
            out += ' ';
            line_start_ = false;
        }
        if (dots_ && line_start_ && piece.front() == '.') out += '.';
        const auto lf = piece.find('\n');
        const auto cr = piece.substr(0, lf).find('\r');
        if (cr != std::string_view::npos) {
            out += piece.substr(0, cr);
            if (cr > 0) line_start_ = false;
            pending_cr_ = true;
            piece.remove_prefix(cr + 1);
        } else if (lf != std::string_view::npos) {
            out += piece.substr(0, lf);
            out += "\r\n";
            line_start_ = true;
            piece.remove_prefix(lf + 1);
        } else {
            out += piece;
            line_start_ = false;
            return;
        }
    }
}

void DotStuffer::finish(std::string& out) {
    if (pending_cr_ || !line_start_) out += "\r\n";
    pending_cr_ = false;
    line_start_ = true;
    if (dots_) out += ".\r\n";
}

}  // namespace gk::smtp_client
