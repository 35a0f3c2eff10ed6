// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/text.hpp"
#include "common/net/stream.hpp"
#include "common/tls/tls.hpp"

namespace gk::testing {

// A small SMTP or LMTP server that does as it is told, also what no server should.
struct Behaviour {
    std::vector<std::string> ehlo = {"peer.test",     "PIPELINING", "8BITMIME",
                                     "SIZE 10000000", "DSN",        "ENHANCEDSTATUSCODES"};
    std::string greeting = "220 peer.test ESMTP\r\n";
    std::map<std::string, std::string>
        replies;          // by verb or by the whole line; with CRLF. "." is the end of the message
    std::string drop_at;  // closes instead of answering this verb, or a line that begins so; "connect", "bytes" within
                          // the message
    bool lmtp = false;
    bool break_tls = false;  // says 220 to STARTTLS, then no handshake
    std::shared_ptr<tls::ServerContext> tls;
};

struct Received {
    std::string mail, data;
    std::vector<std::string> rcpt;
    bool tls = false;
};

class ScriptedPeer {
public:
    explicit ScriptedPeer(std::function<Behaviour(int connection)> behave = [](int) { return Behaviour{}; })
        : behave_(std::move(behave)) {
        auto fd = net::listen_tcp("127.0.0.1", 0);
        listen_ = std::move(*fd);
        port_ = net::local_of(listen_.get()).port;
        acceptor_ = std::thread([this] { accept_all(); });
    }
    ~ScriptedPeer() { stop(); }
    void stop() {
        if (stopping_.exchange(true)) return;
        (void)net::connect_tcp("127.0.0.1", port_, net::milliseconds(1000));
        acceptor_.join();
        for (auto& t : sessions_) t.join();
        listen_.reset();
    }

    std::uint16_t port() const { return port_; }
    int connections() const { return connections_; }
    std::vector<Received> received() {
        const std::lock_guard lock(mutex_);
        return received_;
    }
    std::vector<std::string> commands() {
        const std::lock_guard lock(mutex_);
        return commands_;
    }

private:
    void accept_all();
    void serve(os::Fd fd, int number);

    std::function<Behaviour(int)> behave_;
    os::Fd listen_;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_{false};
    std::atomic<int> connections_{0};
    std::thread acceptor_;
    std::vector<std::thread> sessions_;
    std::mutex mutex_;
    std::vector<Received> received_;
    std::vector<std::string> commands_;
};

inline void ScriptedPeer::accept_all() {
    for (;;) {
        os::Fd fd(::accept(listen_.get(), nullptr, nullptr));
        if (stopping_) return;
        if (!fd) continue;
        const int number = connections_++;
        sessions_.emplace_back([this, number, raw = fd.release()] { serve(os::Fd(raw), number); });
    }
}

inline void ScriptedPeer::serve(os::Fd fd, int number) {
    constexpr net::milliseconds kWait{5000};
    const Behaviour b = behave_(number);
    auto plain = std::make_unique<net::SocketStream>(std::move(fd));
    std::unique_ptr<tls::Stream> secure;
    const auto stream = [&]() -> net::Stream& { return secure ? static_cast<net::Stream&>(*secure) : *plain; };
    auto lines = std::make_unique<net::LineReader>(stream(), 1 << 20);
    const auto say = [&](const std::string& s) { return stream().write_all(s, kWait).has_value(); };
    if (b.drop_at == "connect" || !say(b.greeting)) return;
    Received message;
    message.tls = false;
    std::size_t accepted = 0;
    const auto end_of_message = [&] {
        {
            const std::lock_guard lock(mutex_);
            received_.push_back(message);
        }
        for (std::size_t i = 0; i < (b.lmtp ? accepted : 1); ++i) {
            const std::string key = b.lmtp ? message.rcpt[i] : ".";
            const auto special = b.replies.find(key);
            if (!say(special != b.replies.end() ? special->second : "250 2.0.0 ok\r\n")) return false;
        }
        return true;
    };
    for (;;) {
        const auto line = lines->read_line(kWait);
        if (!line) return;
        {
            const std::lock_guard lock(mutex_);
            commands_.push_back(*line);
        }
        const std::string verb = text::upper(line->substr(0, line->find_first_of(" :")));
        if (!b.drop_at.empty() && (verb == b.drop_at || line->starts_with(b.drop_at))) return;
        std::string reply = "250 2.0.0 ok\r\n";
        if (verb == "EHLO" || verb == "LHLO") {
            reply.clear();
            for (std::size_t i = 0; i < b.ehlo.size(); ++i)
                reply += (i + 1 < b.ehlo.size() ? "250-" : "250 ") + b.ehlo[i] + "\r\n";
        }
        if (verb == "DATA") reply = accepted > 0 ? "354 go\r\n" : "554 5.5.1 no valid recipients\r\n";
        if (verb == "QUIT") reply = "221 2.0.0 bye\r\n";
        if (verb == "STARTTLS") reply = "220 2.0.0 go\r\n";
        if (const auto special = b.replies.find(verb); special != b.replies.end()) reply = special->second;
        if (const auto special = b.replies.find(*line); special != b.replies.end()) reply = special->second;
        if (verb == "BDAT") {
            const auto size = text::to_uint(text::words(*line)[1]);
            const auto bytes = lines->read_exactly(static_cast<std::size_t>(size.value_or(0)), kWait);
            if (!bytes) return;
            message.data += *bytes;
            const std::lock_guard lock(mutex_);
            if (reply[0] == '2' && text::equals_nocase(text::words(*line).back(), "LAST")) received_.push_back(message);
        }
        if (!say(reply)) return;
        if (reply[0] == '2' && (verb == "MAIL" || verb == "RSET")) {
            message = {};
            message.tls = secure != nullptr;
            accepted = 0;
            if (verb == "MAIL") message.mail = *line;
        }
        if (verb == "RCPT" && reply[0] == '2') {
            message.rcpt.push_back(*line);
            ++accepted;
        }
        if (verb == "QUIT") return;
        if (verb == "STARTTLS" && reply[0] == '2') {
            if (b.break_tls || !b.tls) {
                (void)say("this is no handshake\r\n");
                return;
            }
            auto upgraded = tls::accept(std::move(plain), *b.tls, kWait);
            if (!upgraded) return;
            secure = std::move(*upgraded);
            lines = std::make_unique<net::LineReader>(stream(), 1 << 20);
        }
        if (verb == "DATA" && reply[0] == '3') {
            for (;;) {
                const auto content = lines->read_line(kWait);
                if (!content) return;
                if (b.drop_at == "bytes") return;
                std::string_view text = *content;
                if (text.ends_with('\r')) text.remove_suffix(1);
                if (text == ".") break;
                if (text.starts_with('.')) text.remove_prefix(1);
                message.data += std::string(text) + "\r\n";
            }
            if (b.drop_at == ".") {
                const std::lock_guard lock(mutex_);
                received_.push_back(message);
                return;
            }
            if (!end_of_message()) return;
        }
    }
}

}  // namespace gk::testing
