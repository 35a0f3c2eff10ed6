// SPDX-License-Identifier: MIT
#include "common/imap/handover.hpp"

#include <fmt/format.h>

#include "common/imap/fields.hpp"

namespace gk::imap {

std::string format_handover(const Handover& h) {
    return fmt::format("SESSION\tticket={}\tip={}\tport={}\ttls={}\tid={}\ttag={}{}{}\n",
                       text::percent_encode(h.ticket), text::percent_encode(h.ip), h.port, h.tls ? 1 : 0,
                       text::percent_encode(h.session_id), text::percent_encode(h.tag),
                       h.with_capabilities ? "\tcap=1" : "",
                       h.front.empty() ? "" : fmt::format("\tfront={}\tat={}", text::percent_encode(h.front), h.at));
}

Result<Handover> parse_handover(std::string_view line) {
    Handover h;
    bool good = true;
    good = read_fields(line, "SESSION", [&](std::string_view key, std::string value) {
        if (key == "ticket") h.ticket = std::move(value);
        else if (key == "ip") h.ip = std::move(value);
        else if (key == "id") h.session_id = std::move(value);
        else if (key == "tag") h.tag = std::move(value);
        else if (key == "tls") h.tls = value == "1";
        else if (key == "front") h.front = std::move(value);
        else if (key == "at") h.at = text::to_uint(value).value_or(0);
        else if (key == "cap") h.with_capabilities = value == "1";
        else if (key == "port") {
            const auto port = text::to_uint(value);
            if (port && *port <= 65535) h.port = static_cast<std::uint16_t>(*port);
        }
    });
    if (!good || h.ticket.empty() || h.tag.empty()) return fail(Errc::BadInput, "malformed SESSION line");
    for (const char c : h.tag)
        if (c <= ' ' || c >= 0x7f) return fail(Errc::BadInput, "malformed tag in a SESSION line");
    return h;
}

std::string format_handover_answer(const HandoverAnswer& answer) {
    if (answer.accepted) return "OK\n";
    return fmt::format("FAIL\tcode={}\ttext={}\n", text::percent_encode(answer.code),
                       text::percent_encode(answer.text));
}

Result<HandoverAnswer> parse_handover_answer(std::string_view line) {
    HandoverAnswer answer;
    if (line == "OK") {
        answer.accepted = true;
        return answer;
    }
    const bool good = read_fields(line, "FAIL", [&](std::string_view key, std::string value) {
        if (key == "code") answer.code = std::move(value);
        else if (key == "text") answer.text = std::move(value);
    });
    if (!good) return fail(Errc::BadInput, "malformed answer to a SESSION line");
    return answer;
}

}  // namespace gk::imap
