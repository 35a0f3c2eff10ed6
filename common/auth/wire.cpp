// SPDX-License-Identifier: MIT
#include "common/auth/wire.hpp"

#include <map>
#include <string>

#include "common/base/text.hpp"

namespace gk::auth {

namespace {

using Fields = std::map<std::string, std::string, std::less<>>;

struct Line {
    std::string_view verb;
    Fields fields;
};

constexpr std::string_view kCodeNames[] = {"auth", "temp", "locked", "disabled", "expired", "malformed", "denied"};

void add(std::string& line, std::string_view key, std::string_view value) {
    line += '\t';
    line += key;
    line += '=';
    line += text::percent_encode(value);
}

void add_bytes(std::string& line, std::string_view key, std::string_view bytes) {
    add(line, key, text::to_base64(bytes));
}

Result<Line> split_line(std::string_view line) {
    if (line.size() > kMaxLine) return fail(Errc::BadInput, "auth line is too long");
    Line out;
    const auto parts = text::split(line, '\t');
    out.verb = parts[0];
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto equals = parts[i].find('=');
        if (equals == 0 || equals == std::string_view::npos) return fail(Errc::BadInput, "auth field is not key=value");
        auto value = text::percent_decode(parts[i].substr(equals + 1));
        if (!value) return fail(Errc::BadInput, "auth field is badly encoded");
        if (!out.fields.emplace(parts[i].substr(0, equals), std::move(*value)).second)
            return fail(Errc::BadInput, "auth field is given twice");
    }
    return out;
}

// Fields that nobody knows are skipped, so that one side may be newer.
Result<std::string> need(const Line& line, std::string_view key) {
    const auto found = line.fields.find(key);
    if (found == line.fields.end())
        return fail(Errc::BadInput, fmt::format("{} without {}", text::printable(line.verb, 20), key));
    return found->second;
}

Result<bool> need_flag(const Line& line, std::string_view key) {
    const auto found = line.fields.find(key);
    if (found != line.fields.end() && found->second == "1") return true;
    if (found != line.fields.end() && found->second == "0") return false;
    return fail(Errc::BadInput, fmt::format("{} of {} is neither 0 nor 1", key, text::printable(line.verb, 20)));
}

std::string maybe(const Line& line, std::string_view key) {
    const auto found = line.fields.find(key);
    return found == line.fields.end() ? std::string() : found->second;
}

Result<std::optional<std::string>> maybe_bytes(const Line& line, std::string_view key) {
    const auto found = line.fields.find(key);
    if (found == line.fields.end()) return std::optional<std::string>();
    auto bytes = text::from_base64(found->second);
    if (!bytes) return fail(Errc::BadInput, fmt::format("{} is not base64", key));
    return bytes;
}

Result<Request> parse_begin(const Line& line) {
    Begin begin;
    GK_TRY(begin.service, need(line, "service"));
    GK_TRY(begin.mechanism, need(line, "mech"));
    begin.mechanism = text::upper(begin.mechanism);
    begin.ip = maybe(line, "ip");
    GK_TRY(begin.tls, need_flag(line, "tls"));
    GK_TRY(const auto exporter, maybe_bytes(line, "cb-tls-exporter"));
    GK_TRY(const auto end_point, maybe_bytes(line, "cb-tls-server-end-point"));
    begin.cb_tls_exporter = exporter.value_or("");
    begin.cb_tls_server_end_point = end_point.value_or("");
    GK_TRY(begin.initial_response, maybe_bytes(line, "resp"));
    return begin;
}

}  // namespace

std::string_view fail_code_name(FailCode code) noexcept { return kCodeNames[static_cast<std::size_t>(code)]; }

std::string format_request(const Request& request) {
    std::string line;
    if (const auto* begin = std::get_if<Begin>(&request)) {
        line = "BEGIN";
        add(line, "service", begin->service);
        add(line, "mech", begin->mechanism);
        add(line, "ip", begin->ip);
        add(line, "tls", begin->tls ? "1" : "0");
        if (!begin->cb_tls_exporter.empty()) add_bytes(line, "cb-tls-exporter", begin->cb_tls_exporter);
        if (!begin->cb_tls_server_end_point.empty())
            add_bytes(line, "cb-tls-server-end-point", begin->cb_tls_server_end_point);
        if (begin->initial_response) add_bytes(line, "resp", *begin->initial_response);
    } else if (const auto* more = std::get_if<Continue>(&request)) {
        line = "CONTINUE";
        add_bytes(line, "data", more->bytes);
    } else if (std::holds_alternative<Cancel>(request)) {
        line = "CANCEL";
    } else if (const auto* redeem = std::get_if<Redeem>(&request)) {
        line = "REDEEM";
        add(line, "ticket", redeem->ticket);
        add(line, "service", redeem->service);
    } else if (const auto* sender = std::get_if<Sender>(&request)) {
        line = "SENDER";
        add(line, "user", sender->user);
        add(line, "address", sender->address);
    } else {
        line = "PING";
    }
    return line + '\n';
}

Result<Request> parse_request(std::string_view text) {
    GK_TRY(const Line line, split_line(text));
    if (line.verb == "BEGIN") return parse_begin(line);
    if (line.verb == "CONTINUE") {
        GK_TRY(auto bytes, maybe_bytes(line, "data"));
        if (!bytes) return fail(Errc::BadInput, "CONTINUE without data");
        return Continue{std::move(*bytes)};
    }
    if (line.verb == "CANCEL") return Cancel{};
    if (line.verb == "PING") return Ping{};
    if (line.verb == "REDEEM") {
        Redeem redeem;
        GK_TRY(redeem.ticket, need(line, "ticket"));
        GK_TRY(redeem.service, need(line, "service"));
        return redeem;
    }
    if (line.verb == "SENDER") {
        Sender sender;
        GK_TRY(sender.user, need(line, "user"));
        GK_TRY(sender.address, need(line, "address"));
        return sender;
    }
    return fail(Errc::BadInput, fmt::format("unknown auth request '{}'", text::printable(line.verb, 20)));
}

std::string format_reply(const Reply& reply) {
    std::string line;
    switch (reply.kind) {
        case Reply::Kind::Continue:
            line = "CONTINUE";
            add_bytes(line, "data", reply.bytes.value_or(""));
            break;
        case Reply::Kind::Ok:
            line = "OK";
            if (!reply.user.empty()) add(line, "user", reply.user);
            if (!reply.ticket.empty()) add(line, "ticket", reply.ticket);
            if (reply.bytes) add_bytes(line, "data", *reply.bytes);
            break;
        case Reply::Kind::Fail:
            line = "FAIL";
            add(line, "code", fail_code_name(reply.code));
            add(line, "text", reply.text);
            break;
    }
    return line + '\n';
}

Result<Reply> parse_reply(std::string_view text) {
    GK_TRY(const Line line, split_line(text));
    Reply reply;
    GK_TRY(reply.bytes, maybe_bytes(line, "data"));
    if (line.verb == "CONTINUE") {
        if (!reply.bytes) return fail(Errc::BadInput, "CONTINUE without data");
        reply.kind = Reply::Kind::Continue;
        return reply;
    }
    if (line.verb == "OK") {
        reply.kind = Reply::Kind::Ok;
        reply.user = maybe(line, "user");
        reply.ticket = maybe(line, "ticket");
        return reply;
    }
    if (line.verb == "FAIL") {
        GK_TRY(const std::string code, need(line, "code"));
        const auto* found = std::find(std::begin(kCodeNames), std::end(kCodeNames), code);
        // A code from a newer gk-authd is still a refusal.
        reply.code =
            found == std::end(kCodeNames) ? FailCode::Auth : static_cast<FailCode>(found - std::begin(kCodeNames));
        reply.text = maybe(line, "text");
        return reply;
    }
    return fail(Errc::BadInput, fmt::format("unknown auth reply '{}'", text::printable(line.verb, 20)));
}

}  // namespace gk::auth
