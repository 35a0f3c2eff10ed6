// SPDX-License-Identifier: MIT
// The client of bench/idle: holds many IMAP connections over TLS in IDLE.
//   idleload PORT CONNECTIONS PASSWORD ADDRESS...
// Connection number i is ADDRESS number i modulo their count. Prints "ready SECONDS" when all idle; then for each line
// on standard input waits until every connection has heard EXISTS once more, and prints for each address, in order,
// when its last one did (seconds since the epoch), or "late". Ends at the end of its input.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kThreads = 8;         // that log in
constexpr double kHearWithin = 60;  // seconds

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "idleload: %s\n", why.c_str());
    std::_Exit(1);
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

struct Client {
    int fd = -1;
    SSL* ssl = nullptr;
    std::string heard;
    double exists_at = 0;

    void say(const std::string& text) {
        if (SSL_write(ssl, text.data(), static_cast<int>(text.size())) <= 0) give_up("cannot write");
    }
    // Blocking: until a line begins with WANTED.
    void expect(const std::string& wanted) {
        for (;;) {
            for (std::size_t lf; (lf = heard.find('\n')) != std::string::npos;) {
                const std::string line = heard.substr(0, lf);
                heard.erase(0, lf + 1);
                if (line.starts_with(wanted)) return;
                if (line.starts_with("* BYE") || line.find(" NO ") == 1 || line.find(" BAD ") == 1) give_up(line);
            }
            char buffer[4096];
            const int count = SSL_read(ssl, buffer, sizeof buffer);
            if (count <= 0) give_up("the server ended a connection");
            heard.append(buffer, static_cast<std::size_t>(count));
        }
    }
    void idle(int port, SSL_CTX* context, const std::string& address, const std::string& password) {
        fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(static_cast<std::uint16_t>(port));
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) give_up("cannot connect");
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        ssl = SSL_new(context);
        SSL_set_fd(ssl, fd);
        if (SSL_connect(ssl) != 1) give_up("the TLS handshake failed");
        expect("* OK");
        say("a LOGIN \"" + address + "\" \"" + password + "\"\r\n");
        expect("a OK");
        say("b SELECT INBOX\r\n");
        expect("b OK");
        say("c IDLE\r\n");
        expect("+");
    }
    // Without blocking.
    void listen() {
        char buffer[4096];
        for (;;) {
            const ssize_t waiting = ::recv(fd, buffer, 1, MSG_PEEK | MSG_DONTWAIT);
            if (waiting == 0) give_up("the server ended a connection");
            if (waiting < 0 && SSL_pending(ssl) == 0) break;
            const int count = SSL_read(ssl, buffer, sizeof buffer);
            if (count <= 0) give_up("the server ended a connection");
            heard.append(buffer, static_cast<std::size_t>(count));
        }
        if (heard.find(" EXISTS\r\n") != std::string::npos) exists_at = now();
        if (heard.find("* BYE") != std::string::npos) give_up(heard);
        const std::size_t lf = heard.rfind('\n');
        if (lf != std::string::npos) heard.erase(0, lf + 1);
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) give_up("usage: idleload PORT CONNECTIONS PASSWORD ADDRESS...");
    ::signal(SIGPIPE, SIG_IGN);
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    const int port = std::atoi(argv[1]);
    std::vector<Client> clients(static_cast<std::size_t>(std::atoi(argv[2])));
    const std::string password = argv[3];
    const std::vector<std::string> addresses(argv + 4, argv + argc);
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);

    const double begun = now();
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i)
        threads.emplace_back([&] {
            for (std::size_t at = next++; at < clients.size(); at = next++)
                clients[at].idle(port, context, addresses[at % addresses.size()], password);
        });
    for (auto& thread : threads) thread.join();
    std::printf("ready %.2f\n", now() - begun);
    std::fflush(stdout);

    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 0; i < clients.size(); ++i) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = i;
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event);
    }
    for (std::string line; std::getline(std::cin, line);) {
        const double asked = now();
        std::size_t waiting = clients.size();
        for (Client& client : clients) client.exists_at = 0;
        while (waiting > 0 && now() < asked + kHearWithin) {
            epoll_event events[256];
            const int count = ::epoll_wait(epoll, events, 256, 100);
            for (int i = 0; i < count; ++i) {
                Client& client = clients[events[i].data.u64];
                const bool before = client.exists_at != 0;
                client.listen();
                if (!before && client.exists_at != 0) --waiting;
            }
        }
        for (std::size_t a = 0; a < addresses.size(); ++a) {
            double last = 0;
            bool all = true;
            for (std::size_t i = a; i < clients.size(); i += addresses.size()) {
                all = all && clients[i].exists_at != 0;
                last = std::max(last, clients[i].exists_at);
            }
            if (all) std::printf("%.4f\n", last);
            else std::printf("late\n");
        }
        std::fflush(stdout);
    }
    return 0;
}
