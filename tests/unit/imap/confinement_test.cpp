// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <seccomp.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include "common/base/ids.hpp"
#include "common/imap/host/child.hpp"
#include "common/store/account.hpp"

// A session's process, as gk-imapd's parent forks it, in the hands of somebody who means harm: what he tries from
// inside is tried here, in that process, by that code.
namespace gk::imap {
namespace {

namespace fs = std::filesystem;

struct Server {
    std::string root = (fs::is_directory("/dev/shm") ? "/dev/shm/gk-confine-" : "/tmp/gk-confine-") + new_id();
    Server() {
        for (const char* user : {"ann", "bob"}) {
            store::AccountOptions options;
            options.create = true;
            EXPECT_TRUE(store::Account::open(home(user), options));
            write(home(user) + "/Maildir/cur/1.mail:2,", "Subject: secret\n\n");
        }
        fs::create_directories(root + "/keys/dkim");
        fs::create_directories(root + "/keys/tls");
        for (const char* name : {"gk.db", "auth.db", "gk.toml", "keys/dkim/a.key", "keys/tls/a.key"})
            write(root + "/" + name, "secret");
    }
    ~Server() {
        std::error_code error;
        fs::remove_all(root, error);
    }
    std::string home(const std::string& user) const { return root + "/mail/a.test/" + user; }
    static void write(const std::string& path, const std::string& bytes) {
        fs::create_directories(fs::path(path).parent_path());
        std::ofstream(path) << bytes;
    }
};

struct Outcome {
    std::string said;  // by the session to its client, and what the intruder reports
    int status = 0;    // of the process
    bool has(std::string_view line) const { return said.find(fmt::format("\n{}\n", line)) != std::string::npos; }
};

// Runs run_child() in a process of its own. BEFORE happens ahead of it, PROBE when it is closed in.
Outcome run_session(const Server& server, bool require, const std::function<void()>& before,
                    const std::function<void(const std::function<void(const std::string&)>&)>& probe) {
    int client[2], notes[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, notes), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
        before();
        Child child;
        child.client = os::Fd(client[1]);
        child.notes = os::Fd(notes[1]);
        child.handover.tag = "A1";
        child.account = "ann@a.test";
        child.home = server.home("ann");
        child.settings.confine_required = require;
        child.settings.idle_timeout = child.settings.write_timeout = std::chrono::seconds(20);
        const int out = client[1];
        const auto report = [out](const std::string& line) {
            const std::string text = "\n" + line + "\n";
            static_cast<void>(!::write(out, text.data(), text.size()));
        };
        ::_exit(run_child(std::move(child), [&] { probe(report); }));
    }
    ::close(client[1]);
    ::close(notes[1]);
    const std::string words = "a SELECT INBOX\r\nb UID FETCH 1:* BODY.PEEK[]\r\nc LOGOUT\r\n";
    EXPECT_EQ(::send(client[0], words.data(), words.size(), MSG_NOSIGNAL), static_cast<ssize_t>(words.size()));
    Outcome outcome;
    for (;;) {
        pollfd one{client[0], POLLIN, 0};
        if (::poll(&one, 1, 20'000) <= 0) break;
        char buffer[4096];
        const ssize_t count = ::read(client[0], buffer, sizeof buffer);
        if (count <= 0) break;
        outcome.said.append(buffer, static_cast<std::size_t>(count));
    }
    ::close(client[0]);
    ::close(notes[0]);
    EXPECT_EQ(::waitpid(pid, &outcome.status, 0), pid);
    return outcome;
}

// What this kernel has, found out without the code under test.
bool kernel_has_landlock() { return ::syscall(444, nullptr, 0, 1) > 0; }

void hide(const char* name, std::initializer_list<scmp_arg_cmp> when, int error) {
    const scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
    const int number = ::seccomp_syscall_resolve_name(name);
    if (::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(static_cast<unsigned>(error)), number,
                                 static_cast<unsigned>(when.size()), when.begin()) != 0 ||
        ::seccomp_load(filter) != 0)
        ::_exit(90);
    ::seccomp_release(filter);
}
void without_landlock() { hide("landlock_create_ruleset", {}, ENOSYS); }
void without_seccomp() { hide("seccomp", {{0, SCMP_CMP_EQ, 2 /* SECCOMP_GET_ACTION_AVAIL */, 0}}, EOPNOTSUPP); }
void as_it_is() {}

// Each act answers 0 where it was done, else errno.
int done(long result) { return result >= 0 ? 0 : errno; }
int reads(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    char byte = 0;
    const int outcome = fd < 0 ? errno : done(::read(fd, &byte, 1));
    if (fd >= 0) ::close(fd);
    return outcome;
}
int makes(const std::string& path) { return done(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); }
int lists(const std::string& path) {
    DIR* const directory = ::opendir(path.c_str());
    if (directory == nullptr) return errno;
    ::closedir(directory);
    return 0;
}

using Acts = std::vector<std::pair<std::string, std::function<int()>>>;

Acts acts_on_files(const Server& server) {
    const std::string own = server.home("ann"), other = server.home("bob");
    const std::string mail = other + "/Maildir/cur/1.mail:2,", mine = own + "/Maildir/cur/1.mail:2,";
    return {
        {"read another's mail", [=] { return reads(mail); }},
        {"read another's index", [=] { return reads(other + "/index.db"); }},
        {"list another's mail", [=] { return lists(other + "/Maildir/cur"); }},
        {"list the accounts", [=] { return lists(own + "/.."); }},
        {"write into another's mailbox", [=] { return makes(other + "/Maildir/new/2.mail"); }},
        {"truncate another's mail", [=] { return done(::truncate(mail.c_str(), 0)); }},
        {"remove another's mail", [=] { return done(::unlink(mail.c_str())); }},
        {"move another's mail here", [=] { return done(::rename(mail.c_str(), (own + "/stolen").c_str())); }},
        {"move mail to another", [=] { return done(::rename(mine.c_str(), (other + "/Maildir/new/3.mail").c_str())); }},
        {"link another's mail here", [=] { return done(::link(mail.c_str(), (own + "/linked").c_str())); }},
        {"read through a symbolic link",
         [=] {
             if (::symlink(mail.c_str(), (own + "/way").c_str()) != 0) return 0;
             return reads(own + "/way");
         }},
        {"read through /proc", [=] { return reads("/proc/self/root" + mail); }},
        {"read the parent's memory", [=] { return reads(fmt::format("/proc/{}/mem", ::getppid())); }},
        {"read the credentials", [&server] { return reads(server.root + "/auth.db"); }},
        {"read the directory", [&server] { return reads(server.root + "/gk.db"); }},
        {"read the configuration", [&server] { return reads(server.root + "/gk.toml"); }},
        {"read a DKIM key", [&server] { return reads(server.root + "/keys/dkim/a.key"); }},
        {"read a TLS key", [&server] { return reads(server.root + "/keys/tls/a.key"); }},
        {"read /etc/passwd", [] { return reads("/etc/passwd"); }},
    };
}

Acts acts_on_the_kernel() {
    return {
        {"open an internet socket", [] { return done(::socket(AF_INET, SOCK_STREAM, 0)); }},
        {"open an IPv6 socket", [] { return done(::socket(AF_INET6, SOCK_DGRAM, 0)); }},
        {"open a UNIX socket", [] { return done(::socket(AF_UNIX, SOCK_STREAM, 0)); }},
        {"open a raw packet socket", [] { return done(::socket(AF_PACKET, SOCK_RAW, 0)); }},
        {"start a program",
         [] {
             const char* const words[] = {"true", nullptr};
             return done(::execve("/bin/true", const_cast<char**>(words), nullptr));
         }},
        {"start a process", [] { return done(::fork()); }},
        {"spawn a program",
         [] {
             const char* const words[] = {"true", nullptr};
             pid_t pid = 0;
             return ::posix_spawn(&pid, "/bin/true", nullptr, nullptr, const_cast<char**>(words), nullptr);
         }},
        {"stop the parent", [] { return done(::kill(::getppid(), SIGSTOP)); }},
    };
}

TEST(ImapConfinement, ASessionReachesNothingButItsAccount) {
    if (!kernel_has_landlock()) GTEST_SKIP() << "this kernel has no Landlock";
    const Server server;
    const auto files = acts_on_files(server), kernel = acts_on_the_kernel();
    // Without the confinement each of them works, or else this test would prove nothing.
    for (const auto& [name, act] : files) {
        for (const char* user : {"ann", "bob"})
            Server::write(server.home(user) + "/Maildir/cur/1.mail:2,", "Subject: x\n\n");
        const int error = act();
        EXPECT_TRUE(error == 0 || name == "read the parent's memory") << name << ": " << error;
    }
    const Server fresh;
    const auto outcome = run_session(fresh, true, as_it_is, [&](const auto& report) {
        const auto inside = acts_on_files(fresh);
        for (const auto* acts : {&inside, &kernel})
            for (const auto& [name, act] : *acts) report(fmt::format("{}: {}", name, act() == 0 ? "DONE" : "refused"));
    });
    for (const auto* acts : {&files, &kernel})
        for (const auto& [name, act] : *acts) EXPECT_TRUE(outcome.has(name + ": refused")) << name;
    EXPECT_EQ(outcome.said.find("DONE"), std::string::npos) << outcome.said;
    // And the session does its work all the same.
    EXPECT_NE(outcome.said.find("Subject: secret"), std::string::npos) << outcome.said;
    EXPECT_NE(outcome.said.find("c OK "), std::string::npos) << outcome.said;
    EXPECT_EQ(outcome.status, 0);
    EXPECT_TRUE(fs::exists(fresh.home("bob") + "/Maildir/cur/1.mail:2,"));
}

TEST(ImapConfinement, WhatNoHonestSessionDoesEndsIt) {
    const Server server;
    const std::vector<std::pair<std::string, std::function<void()>>> acts = {
        {"ptrace", [] { ::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr); }},
        {"mount", [] { ::mount("none", "/mnt", "tmpfs", 0, nullptr); }},
        {"unshare", [] { ::syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */); }},
        {"bpf", [] { ::syscall(SYS_bpf, 0, nullptr, 0); }},
    };
    for (const auto& [name, act] : acts) {
        const auto outcome = run_session(server, false, as_it_is, [&act = act](const auto& report) {
            act();
            report("still alive");
        });
        EXPECT_FALSE(outcome.has("still alive")) << name;
        EXPECT_TRUE(WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGSYS) << name << ' ' << outcome.status;
    }
}

TEST(ImapConfinement, RefusesToServeWhereTheKernelCannotConfineAndThatIsRequired) {
    const Server server;
    for (const auto& lacking : {std::function<void()>(without_landlock), std::function<void()>(without_seccomp)}) {
        const auto refused = run_session(server, true, lacking, [](const auto& report) { report("served"); });
        EXPECT_FALSE(refused.has("served"));
        EXPECT_EQ(refused.said.find("Logged in"), std::string::npos) << refused.said;
        EXPECT_TRUE(WIFEXITED(refused.status) && WEXITSTATUS(refused.status) == 1) << refused.status;
        const auto served = run_session(server, false, lacking, [](const auto& report) { report("served"); });
        EXPECT_TRUE(served.has("served")) << served.said;
        EXPECT_NE(served.said.find("c OK "), std::string::npos) << served.said;
    }
}

}  // namespace
}  // namespace gk::imap
