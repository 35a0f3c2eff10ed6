// SPDX-License-Identifier: MIT
#include "common/smtp/connection.hpp"

// AUTH between the client and gk-authd; the session keeps the order, this carries the bytes.
namespace gk::smtp {
namespace {

// RFC 4954, 6.
Reply refusal(const auth::Reply& reply) {
    switch (reply.code) {
        case auth::FailCode::Temp:
        case auth::FailCode::Locked: return {454, "4.7.0", "authentication is not possible now"};
        case auth::FailCode::Disabled: return {525, "5.7.13", "the account is disabled"};  // RFC 5248
        case auth::FailCode::Malformed: return {501, "5.5.2", "malformed authentication"};
        default: return {535, "5.7.8", "authentication failed"};
    }
}

}  // namespace

void Connection::on(const BeginAuthentication& begin) {
    auth::Begin request;
    request.service = "smtp";
    request.mechanism = begin.mechanism;
    request.ip = peer_.ip;
    request.tls = tls_ != nullptr;
    if (tls_ != nullptr) {
        auto bindings = tls_->bindings();
        request.cb_tls_exporter = std::move(bindings.tls_exporter);
        request.cb_tls_server_end_point = std::move(bindings.tls_server_end_point);
    }
    request.initial_response = begin.response;
    auth_ = host_.auth_.take();
    authenticated(auth_->begin(request));
}

void Connection::on(const ContinueAuthentication& next) {
    if (!auth_) return session_->auth_failed({454, "4.7.0", "authentication is not possible now"});
    authenticated(auth_->respond(next.response));
}

void Connection::on(const CancelAuthentication&) {
    if (auth_) (void)auth_->cancel();
    auth_.reset();
}

void Connection::authenticated(const Result<auth::Reply>& reply) {
    if (!reply) {
        log_trouble("auth.unreachable", reply.error().text);
        auth_.reset();
        return session_->auth_failed({454, "4.7.0", "authentication is not possible now"});
    }
    switch (reply->kind) {
        case auth::Reply::Kind::Continue: return session_->auth_challenge(reply->bytes.value_or(""));
        case auth::Reply::Kind::Ok: auth_.reset(); return session_->auth_succeeded(reply->user, reply->bytes);
        case auth::Reply::Kind::Fail: auth_.reset(); return session_->auth_failed(refusal(*reply));
    }
}

}  // namespace gk::smtp
