// SPDX-License-Identifier: MIT
#include "common/auth/client.hpp"

namespace gk::auth {

Client::Client(std::string socket_path, std::chrono::milliseconds timeout)
    : path_(std::move(socket_path)), timeout_(timeout) {}

Status Client::connect() {
    if (stream_) return ok();
    auto connected = net::connect_unix(path_, timeout_);
    if (!connected) return fail(Errc::Temporary, connected.error().in("cannot reach gk-authd").text);
    stream_ = std::move(*connected);
    reader_ = std::make_unique<net::LineReader>(*stream_, kMaxLine);
    return ok();
}

void Client::drop() noexcept {
    reader_.reset();
    stream_.reset();
    in_exchange_ = false;
}

Result<Reply> Client::ask(const Request& request, bool may_reconnect) {
    const std::string line = format_request(request);
    for (;;) {
        const bool fresh = !stream_;
        GK_CHECK(connect());
        Status sent = stream_->write_all(line, timeout_);
        Result<std::string> answer = sent ? reader_->read_line(timeout_) : tl::unexpected<Error>(sent.error());
        if (answer) {
            auto reply = parse_reply(*answer);
            if (reply) return reply;
            drop();
            return fail(Errc::Temporary, reply.error().in("gk-authd answered").text);
        }
        const bool timed_out = answer.error().code == Errc::Timeout;
        drop();
        // An idle connection may have been closed by a restart: asking once more on a new one is safe, for
        // a request that was never answered has begun nothing. Past a time-out it would only wait again.
        if (!may_reconnect || fresh || timed_out)
            return fail(Errc::Temporary, answer.error().in("asking gk-authd").text);
    }
}

Result<Reply> Client::begin(const Begin& begin) {
    if (in_exchange_) GK_CHECK(cancel());
    GK_TRY(auto reply, ask(begin, true));
    in_exchange_ = reply.kind == Reply::Kind::Continue;
    return reply;
}

Result<Reply> Client::respond(std::string_view bytes) {
    if (!in_exchange_) return fail(Errc::Temporary, "the connection to gk-authd was lost during the exchange");
    GK_TRY(auto reply, ask(Continue{std::string(bytes)}, false));
    in_exchange_ = reply.kind == Reply::Kind::Continue;
    return reply;
}

Status Client::cancel() {
    if (!in_exchange_) return ok();
    in_exchange_ = false;
    GK_TRY(const auto reply, ask(Cancel{}, false));
    (void)reply;
    return ok();
}

Result<std::string> Client::redeem(const std::string& ticket, const std::string& service) {
    // Redeeming is not asked twice: the first may have used the ticket up.
    if (in_exchange_) GK_CHECK(cancel());
    if (stream_ && !ping()) drop();
    GK_TRY(auto reply, ask(Redeem{ticket, service}, false));
    if (reply.kind == Reply::Kind::Ok && !reply.user.empty()) return std::move(reply.user);
    if (reply.kind == Reply::Kind::Fail && reply.code == FailCode::Temp) return fail(Errc::Temporary, reply.text);
    return fail(Errc::Denied, reply.text.empty() ? "the ticket is not valid" : reply.text);
}

Status Client::may_send_as(const std::string& user, const std::string& address) {
    if (in_exchange_) GK_CHECK(cancel());
    GK_TRY(auto reply, ask(Sender{user, address}, true));
    if (reply.kind == Reply::Kind::Ok) return ok();
    if (reply.kind == Reply::Kind::Fail && reply.code == FailCode::Temp) return fail(Errc::Temporary, reply.text);
    return fail(Errc::Denied, reply.text);
}

Status Client::count(const std::string& user, std::uint64_t messages, std::uint64_t recipients) {
    if (in_exchange_) GK_CHECK(cancel());
    // Asked again after a lost answer it may count twice, which errs on the safe side.
    GK_TRY(auto reply, ask(Count{user, messages, recipients}, true));
    if (reply.kind == Reply::Kind::Ok) return ok();
    if (reply.kind == Reply::Kind::Fail && reply.code == FailCode::Limit) return fail(Errc::Denied, reply.text);
    return fail(Errc::Temporary, reply.text);
}

Status Client::ping() {
    if (in_exchange_) return ok();
    GK_TRY(const auto reply, ask(Ping{}, true));
    if (reply.kind != Reply::Kind::Ok) return fail(Errc::Temporary, "gk-authd did not answer a ping");
    return ok();
}

ClientPool::ClientPool(std::string socket_path, std::size_t most_idle, std::chrono::milliseconds timeout)
    : path_(std::move(socket_path)), most_idle_(most_idle), timeout_(timeout) {}

ClientPool::Lease ClientPool::take() {
    std::unique_ptr<Client> client;
    {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            client = std::move(idle_.back());
            idle_.pop_back();
        }
    }
    if (!client) client = std::make_unique<Client>(path_, timeout_);
    return Lease(client.release(), Return{this});
}

void ClientPool::Return::operator()(Client* client) const {
    std::unique_ptr<Client> owned(client);
    (void)owned->cancel();
    const std::lock_guard lock(pool->mutex_);
    if (pool->idle_.size() < pool->most_idle_) pool->idle_.push_back(std::move(owned));
}

}  // namespace gk::auth
