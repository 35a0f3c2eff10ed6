// SPDX-License-Identifier: MIT
#include <thread>

#include "cmd/gk-authd/gk_authd.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"

namespace gk::authd {

namespace {

using namespace std::chrono_literals;
constexpr auto kIdle = 1h;  // between exchanges: clients keep connections open

void write_event(const auth::Begin& begin, const auth::Outcome& outcome) {
    const bool yes = outcome.reply.kind == auth::Reply::Kind::Ok;
    log::Event event(yes ? "auth.ok" : "auth.fail", yes ? log::Level::Info : log::Level::Warning);
    event.field("actor", yes ? outcome.reply.user : outcome.login)
        .field("ip", begin.ip)
        .field("service", begin.service);
    event.field("mech", begin.mechanism).field("tls", begin.tls);
    if (yes) event.field("how", outcome.how);
    else event.field("code", auth::fail_code_name(outcome.reply.code)).field("error", outcome.reply.text);
}

void wait(std::chrono::milliseconds delay, Delays& delays, const std::atomic<bool>& stopping) {
    if (delay <= 0ms) return;
    if (delays.sleeping.fetch_add(1) < delays.most) {
        const auto until = std::chrono::steady_clock::now() + delay;
        while (!stopping && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(20ms);
    }
    delays.sleeping.fetch_sub(1);
}

// What a client may be told: not why the disk is full, and nothing that tells names apart.
auth::Reply for_client(const auth::Reply& reply) {
    auth::Reply told = reply;
    if (told.kind != auth::Reply::Kind::Fail) return told;
    if (told.code == auth::FailCode::Temp) told.text = "try again later";
    if (told.code == auth::FailCode::Auth) told.text = "authentication failed";
    return told;
}

}  // namespace

void converse(net::SocketStream& stream, auth::Authenticator& authenticator, std::chrono::milliseconds exchange_timeout,
              Delays& delays, const std::atomic<bool>& stopping) {
    net::LineReader reader(stream, auth::kMaxLine);
    std::unique_ptr<auth::Exchange> exchange;
    auth::Begin begin;
    while (!stopping || exchange) {
        stream.set_cancel(exchange ? nullptr : &stopping);  // a stop ends idle connections, not a login half-way
        const auto line = reader.read_line(exchange ? exchange_timeout : std::chrono::milliseconds(kIdle));
        if (!line) return;
        const auto request = auth::parse_request(*line);
        auth::Reply reply;
        if (!request) {
            reply.code = auth::FailCode::Malformed;
            reply.text = request.error().text;
            exchange.reset();
        } else if (const auto* redeem = std::get_if<auth::Redeem>(&*request)) {
            reply = authenticator.redeem(*redeem);
            if (reply.kind != auth::Reply::Kind::Ok)
                log::Event("auth.ticket_refused", log::Level::Warning)
                    .field("service", redeem->service)
                    .field("error", reply.text);
        } else if (const auto* sender = std::get_if<auth::Sender>(&*request)) {
            reply = authenticator.may_send_as(*sender);
        } else if (const auto* count = std::get_if<auth::Count>(&*request)) {
            reply = authenticator.count(*count);
        } else if (std::holds_alternative<auth::Ping>(*request)) {
            reply.kind = auth::Reply::Kind::Ok;
        } else if (std::holds_alternative<auth::Cancel>(*request)) {
            exchange.reset();
            reply.text = "cancelled";
        } else {
            auth::Outcome outcome;
            if (const auto* first = std::get_if<auth::Begin>(&*request)) {
                begin = *first;
                exchange = std::make_unique<auth::Exchange>(authenticator, begin);
                outcome = exchange->start();
            } else if (exchange) {
                outcome = exchange->respond(std::get<auth::Continue>(*request).bytes);
            } else {
                outcome.reply.code = auth::FailCode::Malformed;
                outcome.reply.text = "CONTINUE without BEGIN";
            }
            if (outcome.reply.kind != auth::Reply::Kind::Continue) {
                write_event(begin, outcome);
                exchange.reset();
            }
            wait(outcome.delay, delays, stopping);
            reply = for_client(outcome.reply);
        }
        if (!stream.write_all(auth::format_reply(reply), exchange_timeout)) return;
    }
}

}  // namespace gk::authd
