// SPDX-License-Identifier: MIT
// The client of bench/imap. It reads as fast as it can and looks at nothing but tagged answers, so that what is
// measured is the server.
//
//   imapload run HOST:PORT USER PASSWORD < SCRIPT       a line each: LABEL TAB COMMAND; prints LABEL TAB SECONDS TAB
//   OCTETS imapload append HOST:PORT USER PASSWORD MAILBOX WINDOW FILE…   prints COUNT SECONDS imapload logins
//   HOST:PORT PASSWORD SECONDS CLIENTS MAILBOX|- USER…   prints LOGINS SECONDS imapload fill HOST:PORT|unix:PATH
//   SESSIONS RECIPIENT DIRECTORY   every file of it by LMTP; prints COUNT SECONDS
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "imapload: %s\n", why.c_str());
    std::_Exit(1);
}

int connect_to(const std::string& server) {
    if (server.starts_with("unix:")) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, server.c_str() + 5, sizeof address.sun_path - 1);
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("cannot connect");
        return fd;
    }
    const auto colon = server.rfind(':');
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(server.c_str() + colon + 1)));
    ::inet_pton(AF_INET, server.substr(0, colon).c_str(), &address.sin_addr);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("cannot connect");
    return fd;
}

class Wire {
public:
    explicit Wire(const std::string& server) : fd_(connect_to(server)), buffer_(1 << 20) {}
    ~Wire() { ::close(fd_); }
    Wire(const Wire&) = delete;

    void say(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) give_up("the server closed the connection");
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    std::string line() {
        for (;;) {
            if (const auto end = heard_.find('\n'); end != std::string::npos) {
                std::string found = heard_.substr(0, end + 1);
                heard_.erase(0, end + 1);
                return found;
            }
            heard_.append(receive());
        }
    }
    // Everything up to the line that begins with TAG and what follows in it; how many octets there were. Nothing behind
    // it is lost.
    std::size_t until_tagged(const std::string& tag) {
        const std::string mark = "\r\n" + tag + " ";
        std::string tail = "\r\n" + std::exchange(heard_, {});
        std::size_t octets = tail.size() - 2;
        for (;;) {
            if (const auto at = tail.find(mark); at != std::string::npos) {
                const auto begin = at + 2;
                auto end = tail.find('\n', begin);
                while (end == std::string::npos) {
                    const auto more = receive();
                    octets += more.size();
                    tail.append(more);
                    end = tail.find('\n', begin);
                }
                if (!std::string_view(tail).substr(begin + tag.size()).starts_with(" OK"))
                    give_up("the server says: " + tail.substr(begin, end - begin));
                heard_ = tail.substr(end + 1);
                return octets - heard_.size();
            }
            if (tail.size() > mark.size()) tail.erase(0, tail.size() - mark.size());
            const auto more = receive();
            octets += more.size();
            tail.append(more);
        }
    }

private:
    std::string_view receive() {
        const auto n = ::recv(fd_, buffer_.data(), buffer_.size(), 0);
        if (n <= 0) give_up("the server closed the connection");
        return {buffer_.data(), static_cast<std::size_t>(n)};
    }
    int fd_;
    std::vector<char> buffer_;
    std::string heard_;
};

std::string tag_of(int number) { return "zq" + std::to_string(number) + "qz"; }

class Imap : public Wire {
public:
    Imap(const std::string& server, const std::string& user, const std::string& password) : Wire(server) {
        line();
        command("LOGIN \"" + user + "\" \"" + password + "\"");
    }
    std::size_t command(const std::string& text) {
        const std::string tag = tag_of(++number_);
        say(tag + " " + text + "\r\n");
        return until_tagged(tag);
    }
    void start(const std::string& text) { say(tag_of(++number_) + " " + text); }
    void end(int back) { until_tagged(tag_of(number_ - back)); }

private:
    int number_ = 0;
};

std::string with_crlf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) give_up("cannot read " + path);
    std::stringstream all;
    all << file.rdbuf();
    std::string out;
    for (const char c : all.str()) {
        if (c == '\n' && (out.empty() || out.back() != '\r')) out += '\r';
        out += c;
    }
    return out;
}

int run(char** argv) {
    Imap imap(argv[0], argv[1], argv[2]);
    for (std::string line; std::getline(std::cin, line);) {
        const auto tab = line.find('\t');
        if (tab == std::string::npos) continue;
        const auto begun = Clock::now();
        const auto octets = imap.command(line.substr(tab + 1));
        std::printf("%s\t%.6f\t%zu\n", line.substr(0, tab).c_str(), seconds_since(begun), octets);
        std::fflush(stdout);
    }
    return 0;
}

int append(char** argv, int count) {
    Imap imap(argv[0], argv[1], argv[2]);
    const std::string mailbox = argv[3];
    const int window = std::atoi(argv[4]);
    std::vector<std::string> messages;
    for (int i = 5; i < count; ++i) messages.push_back(with_crlf(argv[i]));
    const auto begun = Clock::now();
    int waiting = 0;
    for (const auto& message : messages) {
        if (waiting == window) imap.end(--waiting);
        imap.start("APPEND \"" + mailbox + "\" {" + std::to_string(message.size()) + "+}\r\n" + message + "\r\n");
        ++waiting;
    }
    while (waiting > 0) imap.end(--waiting);
    std::printf("%zu %.6f\n", messages.size(), seconds_since(begun));
    return 0;
}

int logins(char** argv, int count) {
    const std::string server = argv[0], password = argv[1], mailbox = argv[4];
    const double seconds = std::atof(argv[2]);
    std::atomic<int> done{0};
    const auto begun = Clock::now();
    std::vector<std::thread> clients;
    for (int i = 0; i < std::atoi(argv[3]); ++i)
        clients.emplace_back([&, i] {
            for (int turn = i; seconds_since(begun) < seconds; ++turn) {
                Imap imap(server, argv[5 + turn % (count - 5)], password);
                if (mailbox != "-") imap.command("SELECT \"" + mailbox + "\"");
                imap.command("LOGOUT");
                ++done;
            }
        });
    for (auto& client : clients) client.join();
    std::printf("%d %.6f\n", done.load(), seconds_since(begun));
    return 0;
}

int fill(char** argv) {
    const std::string server = argv[0], recipient = argv[2], folder = argv[3];
    std::vector<std::string> files;
    if (DIR* const directory = ::opendir(folder.c_str())) {
        while (const dirent* entry = ::readdir(directory))
            if (entry->d_name[0] != '.') files.push_back(folder + "/" + entry->d_name);
        ::closedir(directory);
    }
    std::sort(files.begin(), files.end());
    std::atomic<std::size_t> next{0};
    const auto begun = Clock::now();
    std::vector<std::thread> sessions;
    for (int i = 0; i < std::atoi(argv[1]); ++i)
        sessions.emplace_back([&] {
            Wire wire(server);
            const auto expect = [&](const char* code) {
                std::string said;
                do said = wire.line();
                while (said.size() > 3 && said[3] == '-');
                if (!said.starts_with(code)) give_up("the server says: " + said);
            };
            expect("220");
            wire.say("LHLO load.example\r\n");
            expect("250");
            for (std::size_t mine = next++; mine < files.size(); mine = next++) {
                std::string content = with_crlf(files[mine]), stuffed;
                if (!content.ends_with("\r\n")) content += "\r\n";
                for (std::size_t at = 0; at < content.size();) {
                    const auto end = content.find('\n', at) + 1;
                    if (content[at] == '.') stuffed += '.';
                    stuffed.append(content, at, end - at);
                    at = end;
                }
                wire.say("MAIL FROM:<s@sender.example>\r\n");
                expect("250");
                wire.say("RCPT TO:<" + recipient + ">\r\n");
                expect("250");
                wire.say("DATA\r\n");
                expect("354");
                wire.say(stuffed + ".\r\n");
                expect("250");
            }
            wire.say("QUIT\r\n");
            expect("221");
        });
    for (auto& session : sessions) session.join();
    std::printf("%zu %.6f\n", files.size(), seconds_since(begun));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    const std::string_view verb = argc > 1 ? argv[1] : "";
    if (verb == "run" && argc == 5) return run(argv + 2);
    if (verb == "append" && argc > 7) return append(argv + 2, argc - 2);
    if (verb == "logins" && argc > 7) return logins(argv + 2, argc - 2);
    if (verb == "fill" && argc == 6) return fill(argv + 2);
    std::fputs("usage: imapload run|append|logins|fill …: see the head of bench/imapload.cpp\n", stderr);
    return 64;
}
