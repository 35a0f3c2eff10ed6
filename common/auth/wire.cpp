// SPDX-License-Identifier: MIT
#include "common/auth/wire.hpp"

#include <algorithm>
#include <string>

#include "common/base/text.hpp"
#include "common/base/wire_line.hpp"

namespace gk::auth {

namespace {

constexpr std::string_view kCodeNames[] = {"auth",    "temp",      "locked", "disabled",
                                           "expired", "malformed", "denied", "limit"};

Result<bool> need_flag(const WireLine& line, std::string_view key) {
    const auto found = line.fields.find(key);
    if (found != line.fields.end() && found->second == "1") return true;
    if (found != line.fields.end() && found->second == "0") return false;
    return fail(Errc::BadInput, fmt::format("{} of {} is neither 0 nor 1", key, text::printable(line.verb, 20)));
}

// 0 where it is absent. What is no number is refused: it would be read as no limit.
Result<std::uint64_t> maybe_number(const WireLine& line, std::string_view key) {
    const std::string value = line.maybe(key);
    if (value.empty()) return std::uint64_t{0};
    if (const auto number = text::to_uint(value)) return *number;
    return fail(Errc::BadInput, fmt::format("{} of {} is not a number", key, text::printable(line.verb, 20)));
}

Result<Request> parse_begin(const WireLine& line) {
    Begin begin;
    GK_TRY(begin.service, line.need("service"));
    GK_TRY(begin.mechanism, line.need("mech"));
    begin.mechanism = text::upper(begin.mechanism);
    begin.ip = line.maybe("ip");
    GK_TRY(begin.tls, need_flag(line, "tls"));
    GK_TRY(const auto exporter, line.maybe_bytes("cb-tls-exporter"));
    GK_TRY(const auto end_point, line.maybe_bytes("cb-tls-server-end-point"));
    begin.cb_tls_exporter = exporter.value_or("");
    begin.cb_tls_server_end_point = end_point.value_or("");
    GK_TRY(begin.initial_response, line.maybe_bytes("resp"));
    return begin;
}

}  // namespace

std::string_view fail_code_name(FailCode code) noexcept { return kCodeNames[static_cast<std::size_t>(code)]; }

std::string format_request(const Request& request) {
    std::string line;
    if (const auto* begin = std::get_if<Begin>(&request)) {
        line = "BEGIN";
        add_wire_field(line, "service", begin->service);
        add_wire_field(line, "mech", begin->mechanism);
        add_wire_field(line, "ip", begin->ip);
        add_wire_field(line, "tls", begin->tls ? "1" : "0");
        if (!begin->cb_tls_exporter.empty()) add_wire_bytes(line, "cb-tls-exporter", begin->cb_tls_exporter);
        if (!begin->cb_tls_server_end_point.empty())
            add_wire_bytes(line, "cb-tls-server-end-point", begin->cb_tls_server_end_point);
        if (begin->initial_response) add_wire_bytes(line, "resp", *begin->initial_response);
    } else if (const auto* more = std::get_if<Continue>(&request)) {
        line = "CONTINUE";
        add_wire_bytes(line, "data", more->bytes);
    } else if (std::holds_alternative<Cancel>(request)) {
        line = "CANCEL";
    } else if (const auto* redeem = std::get_if<Redeem>(&request)) {
        line = "REDEEM";
        add_wire_field(line, "ticket", redeem->ticket);
        add_wire_field(line, "service", redeem->service);
    } else if (const auto* sender = std::get_if<Sender>(&request)) {
        line = "SENDER";
        add_wire_field(line, "user", sender->user);
        add_wire_field(line, "address", sender->address);
    } else if (const auto* count = std::get_if<Count>(&request)) {
        line = "COUNT";
        add_wire_field(line, "user", count->user);
        add_wire_field(line, "messages", std::to_string(count->messages));
        add_wire_field(line, "recipients", std::to_string(count->recipients));
    } else {
        line = "PING";
    }
    return line + '\n';
}

Result<Request> parse_request(std::string_view text) {
    GK_TRY(const WireLine line, WireLine::parse(text, kMaxLine, "auth"));
    if (line.verb == "BEGIN") return parse_begin(line);
    if (line.verb == "CONTINUE") {
        GK_TRY(auto bytes, line.maybe_bytes("data"));
        if (!bytes) return fail(Errc::BadInput, "CONTINUE without data");
        return Continue{std::move(*bytes)};
    }
    if (line.verb == "CANCEL") return Cancel{};
    if (line.verb == "PING") return Ping{};
    if (line.verb == "REDEEM") {
        Redeem redeem;
        GK_TRY(redeem.ticket, line.need("ticket"));
        GK_TRY(redeem.service, line.need("service"));
        return redeem;
    }
    if (line.verb == "SENDER") {
        Sender sender;
        GK_TRY(sender.user, line.need("user"));
        GK_TRY(sender.address, line.need("address"));
        return sender;
    }
    if (line.verb == "COUNT") {
        constexpr std::uint64_t kMost = 1'000'000;  // of one request
        Count count;
        GK_TRY(count.user, line.need("user"));
        GK_TRY(count.messages, maybe_number(line, "messages"));
        GK_TRY(count.recipients, maybe_number(line, "recipients"));
        if (count.messages > kMost || count.recipients > kMost) return fail(Errc::BadInput, "COUNT of too much");
        return count;
    }
    return fail(Errc::BadInput, fmt::format("unknown auth request '{}'", text::printable(line.verb, 20)));
}

std::string format_reply(const Reply& reply) {
    std::string line;
    switch (reply.kind) {
        case Reply::Kind::Continue:
            line = "CONTINUE";
            add_wire_bytes(line, "data", reply.bytes.value_or(""));
            break;
        case Reply::Kind::Ok:
            line = "OK";
            if (!reply.user.empty()) add_wire_field(line, "user", reply.user);
            if (!reply.ticket.empty()) add_wire_field(line, "ticket", reply.ticket);
            if (reply.bytes) add_wire_bytes(line, "data", *reply.bytes);
            if (reply.quota_octets != 0) add_wire_field(line, "quota-octets", std::to_string(reply.quota_octets));
            if (reply.quota_messages != 0) add_wire_field(line, "quota-messages", std::to_string(reply.quota_messages));
            break;
        case Reply::Kind::Fail:
            line = "FAIL";
            add_wire_field(line, "code", fail_code_name(reply.code));
            add_wire_field(line, "text", reply.text);
            break;
    }
    return line + '\n';
}

Result<Reply> parse_reply(std::string_view text) {
    GK_TRY(const WireLine line, WireLine::parse(text, kMaxLine, "auth"));
    Reply reply;
    GK_TRY(reply.bytes, line.maybe_bytes("data"));
    if (line.verb == "CONTINUE") {
        if (!reply.bytes) return fail(Errc::BadInput, "CONTINUE without data");
        reply.kind = Reply::Kind::Continue;
        return reply;
    }
    if (line.verb == "OK") {
        reply.kind = Reply::Kind::Ok;
        reply.user = line.maybe("user");
        reply.ticket = line.maybe("ticket");
        GK_TRY(reply.quota_octets, maybe_number(line, "quota-octets"));
        GK_TRY(reply.quota_messages, maybe_number(line, "quota-messages"));
        return reply;
    }
    if (line.verb == "FAIL") {
        GK_TRY(const std::string code, line.need("code"));
        const auto* found = std::find(std::begin(kCodeNames), std::end(kCodeNames), code);
        // A code from a newer gk-authd is still a refusal.
        reply.code =
            found == std::end(kCodeNames) ? FailCode::Auth : static_cast<FailCode>(found - std::begin(kCodeNames));
        reply.text = line.maybe("text");
        return reply;
    }
    return fail(Errc::BadInput, fmt::format("unknown auth reply '{}'", text::printable(line.verb, 20)));
}

}  // namespace gk::auth
