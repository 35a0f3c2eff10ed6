// SPDX-License-Identifier: MIT
#include "common/dkim_client/client.hpp"

namespace gk::dkim_client {
namespace {

constexpr int kMostParents = 4;

Error error_of(const Reply& reply) {
    switch (reply.code) {
        case FailCode::NoKey: return {Errc::NotFound, reply.text, 0};
        case FailCode::Malformed: return {Errc::BadInput, reply.text, 0};
        case FailCode::Temp: break;
    }
    return {Errc::Temporary, reply.text, 0};
}

}  // namespace

Client::Client(std::string socket_path, std::chrono::milliseconds timeout)
    : path_(std::move(socket_path)), timeout_(timeout) {}

Status Client::connect() {
    if (stream_) return ok();
    auto connected = net::connect_unix(path_, timeout_);
    if (!connected) return fail(Errc::Temporary, connected.error().in("cannot reach gk-dkim").text);
    stream_ = std::move(*connected);
    reader_ = std::make_unique<net::LineReader>(*stream_, kMaxLine);
    return ok();
}

Result<Reply> Client::ask(const Request& request) {
    const std::string line = format_request(request);
    for (;;) {
        const bool fresh = !stream_;
        GK_CHECK(connect());
        const Status sent = stream_->write_all(line, timeout_);
        Result<std::string> answer = sent ? reader_->read_line(timeout_) : tl::unexpected<Error>(sent.error());
        const Errc code = answer ? Errc::Temporary : answer.error().code;
        if (answer) {
            auto reply = parse_reply(*answer);
            if (reply && reply->ok) return reply;
            if (reply) return fail(error_of(*reply));
            answer = tl::unexpected<Error>(reply.error());
        }
        reader_.reset();
        stream_.reset();
        // An idle connection may have been closed by a restart; the same question may be asked twice. Past a time-out
        // it would only wait again.
        if (fresh || code == Errc::Timeout) return fail(Errc::Temporary, answer.error().in("asking gk-dkim").text);
    }
}

Result<std::vector<ActiveKey>> Client::active_keys(const std::string& domain) {
    GK_TRY(auto reply, ask(Keys{domain}));
    return std::move(reply.keys);
}

Result<std::string> Client::sign(const std::string& domain, const std::string& selector, std::string_view digest) {
    GK_TRY(auto reply, ask(Sign{domain, selector, std::string(digest)}));
    if (reply.signature.empty()) return fail(Errc::Temporary, "gk-dkim answered without a signature");
    return std::move(reply.signature);
}

Status Client::ping() {
    GK_TRY(const auto reply, ask(Ping{}));
    (void)reply;
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
    const std::lock_guard lock(pool->mutex_);
    if (pool->idle_.size() < pool->most_idle_) pool->idle_.push_back(std::move(owned));
}

Result<std::vector<mailauth::dkim::SignWith>> signing_keys(ClientPool& pool, const std::string& domain) {
    GK_TRY(const auto keys, pool.take()->active_keys(domain));
    std::vector<mailauth::dkim::SignWith> out;
    for (const auto& key : keys)
        out.push_back({domain,
                       key.selector,
                       {},
                       key.algorithm,
                       [&pool, domain, selector = key.selector](std::string_view digest) {
                           return pool.take()->sign(domain, selector, digest);
                       }});
    return out;
}

Result<std::vector<mailauth::dkim::SignWith>> nearest_signing_keys(ClientPool& pool, std::string domain) {
    for (int i = 0; i <= kMostParents; ++i) {
        GK_TRY(auto keys, signing_keys(pool, domain));
        const auto dot = domain.find('.');
        // A name of one label is nobody's domain of mail.
        if (!keys.empty() || dot == std::string::npos || domain.find('.', dot + 1) == std::string::npos) return keys;
        domain.erase(0, dot + 1);
    }
    return std::vector<mailauth::dkim::SignWith>{};
}

}  // namespace gk::dkim_client
