// SPDX-License-Identifier: MIT
// A load client for bench/smtp: sends the same message again and again over SMTP or LMTP, with what smtp-source(1)
// lacks: STARTTLS, a number of messages a connection, and pipelining. Prints "MESSAGES SECONDS" and exits 0 when all
// were accepted.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

struct Plan {
    int sessions = 1, messages = 100, length = 10240, per_connection = 1;
    std::string from = "s@sender.example", to = "u1@example.org", server = "127.0.0.1:25", content;
    bool starttls = false, lmtp = false, pipelined = false;
};

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "smtpload: %s\n", why.c_str());
    std::_Exit(1);
}

class Connection {
public:
    Connection(const Plan& plan, SSL_CTX* tls) : plan_(plan) {
        open();
        expect("220");
        hello();
        if (!plan.starttls) return;
        say("STARTTLS\r\n");
        expect("220");
        ssl_ = SSL_new(tls);
        SSL_set_fd(ssl_, fd_);
        if (SSL_connect(ssl_) != 1) give_up("the TLS handshake failed");
        hello();
    }
    ~Connection() {
        say("QUIT\r\n");
        expect("221");
        if (ssl_ != nullptr) {
            SSL_shutdown(ssl_);
            SSL_free(ssl_);
        }
        ::close(fd_);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void send_message() {
        const std::string mail = "MAIL FROM:<" + plan_.from + ">\r\n", rcpt = "RCPT TO:<" + plan_.to + ">\r\n";
        if (plan_.pipelined) {
            say(mail + rcpt + "DATA\r\n");
            expect("250");
            expect("250");
        } else {
            say(mail);
            expect("250");
            say(rcpt);
            expect("250");
            say("DATA\r\n");
        }
        expect("354");
        say(plan_.content);
        expect("250");
    }

private:
    void open() {
        if (plan_.server.starts_with("unix:")) {
            sockaddr_un address{};
            address.sun_family = AF_UNIX;
            std::strncpy(address.sun_path, plan_.server.c_str() + 5, sizeof address.sun_path - 1);
            fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("cannot connect");
            return;
        }
        const auto colon = plan_.server.rfind(':');
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(plan_.server.c_str() + colon + 1)));
        ::inet_pton(AF_INET, plan_.server.substr(0, colon).c_str(), &address.sin_addr);
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("cannot connect");
    }
    void hello() {
        say(plan_.lmtp ? "LHLO load.example\r\n" : "EHLO load.example\r\n");
        expect("250");
    }
    void say(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto n = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                           : static_cast<int>(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
            if (n <= 0) give_up("the server closed the connection");
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    // Reads one reply, all of its lines.
    void expect(std::string_view code) {
        for (;;) {
            const auto end = heard_.find('\n');
            if (end == std::string::npos) {
                char buffer[4096];
                const auto n = ssl_ != nullptr ? SSL_read(ssl_, buffer, sizeof buffer)
                                               : static_cast<int>(::read(fd_, buffer, sizeof buffer));
                if (n <= 0) give_up("the server closed the connection");
                heard_.append(buffer, static_cast<std::size_t>(n));
                continue;
            }
            const std::string line = heard_.substr(0, end);
            heard_.erase(0, end + 1);
            if (line.size() > 3 && line[3] == '-') continue;
            if (!line.starts_with(code)) give_up("expected " + std::string(code) + ", got: " + line);
            return;
        }
    }

    const Plan& plan_;
    int fd_ = -1;
    SSL* ssl_ = nullptr;
    std::string heard_;
};

std::string content_of(int length) {
    std::string content =
        "From: s@sender.example\r\nTo: u1@example.org\r\nSubject: load\r\nDate: Sun, 22 Nov 2026 09:00:00 "
        "+0000\r\n\r\n";
    const std::string line(78, 'x');
    for (int left = length; left > 0; left -= 80) content += line + "\r\n";
    return content + ".\r\n";
}

}  // namespace

int main(int argc, char** argv) {
    Plan plan;
    int option = 0;
    while ((option = ::getopt(argc, argv, "s:m:l:f:t:r:TLp")) != -1) switch (option) {
            case 's': plan.sessions = std::atoi(optarg); break;
            case 'm': plan.messages = std::atoi(optarg); break;
            case 'l': plan.length = std::atoi(optarg); break;
            case 'f': plan.from = optarg; break;
            case 't': plan.to = optarg; break;
            case 'r': plan.per_connection = std::atoi(optarg); break;
            case 'T': plan.starttls = true; break;
            case 'L': plan.lmtp = true; break;
            case 'p': plan.pipelined = true; break;
            default: optind = argc;
        }
    if (optind >= argc) {
        std::fputs(
            "usage: smtpload [-s SESSIONS] [-m MESSAGES] [-l LENGTH] [-f FROM] [-t TO] [-r MESSAGES-A-CONNECTION] "
            "[-TLp] HOST:PORT|unix:PATH\n"
            "  -T STARTTLS  -L LMTP  -p pipelined\n",
            stderr);
        return 64;
    }
    plan.server = argv[optind];
    plan.content = content_of(plan.length);
    std::signal(SIGPIPE, SIG_IGN);
    SSL_CTX* const tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);

    std::atomic<int> next{0};
    const auto begun = std::chrono::steady_clock::now();
    std::vector<std::thread> sessions;
    for (int i = 0; i < plan.sessions; ++i)
        sessions.emplace_back([&] {
            for (int mine = next++; mine < plan.messages;) {
                Connection connection(plan, tls);
                for (int sent = 0; sent < plan.per_connection && mine < plan.messages; ++sent, mine = next++)
                    connection.send_message();
            }
        });
    for (auto& session : sessions) session.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    std::printf("%d %.4f\n", plan.messages, took.count());
    SSL_CTX_free(tls);
    return 0;
}
