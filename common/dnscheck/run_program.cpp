// SPDX-License-Identifier: MIT
#include "common/dnscheck/run_program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/os/fd.hpp"
#include "common/os/process.hpp"

namespace gk::dnscheck {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxOutput = 64 * 1024;

struct Pipe {
    os::Fd read, write;
    static Result<Pipe> make() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("cannot make a pipe");
        return Pipe{os::Fd(ends[0]), os::Fd(ends[1])};
    }
};

// Feeds and reads until the program has closed its output; false when the time is over.
bool talk(os::Fd& to, os::Fd& from, std::string_view input, Clock::time_point deadline, std::string& output) {
    ::fcntl(to.get(), F_SETFL, O_NONBLOCK);
    if (input.empty()) to.reset();
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return false;
        pollfd fds[2] = {{from.get(), POLLIN, 0}, {to ? to.get() : -1, POLLOUT, 0}};
        if (::poll(fds, 2, static_cast<int>(left)) < 0 && errno != EINTR) return false;
        if (fds[1].revents != 0) {
            const ssize_t n = ::write(to.get(), input.data(), input.size());
            if (n > 0) input.remove_prefix(static_cast<std::size_t>(n));
            // A program that does not want the rest says so by its exit code.
            if (input.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) to.reset();
        }
        if (fds[0].revents != 0) {
            char buffer[4096];
            const ssize_t n = ::read(from.get(), buffer, sizeof buffer);
            if (n == 0 || (n < 0 && errno != EINTR)) return true;
            if (n > 0 && output.size() < kMaxOutput) output.append(buffer, static_cast<std::size_t>(n));
        }
    }
}

// Output closed does not mean ended.
bool wait_until(pid_t pid, Clock::time_point deadline, int& status) {
    for (;;) {
        const pid_t ended = ::waitpid(pid, &status, WNOHANG);
        if (ended == pid) return true;
        if (Clock::now() > deadline) return false;
        ::poll(nullptr, 0, 5);
    }
}

}  // namespace

Result<Ran> run_program(const std::vector<std::string>& argv, std::string_view input, std::chrono::milliseconds time) {
    GK_TRY(Pipe in, Pipe::make());
    GK_TRY(Pipe out, Pipe::make());
    const char* path = std::getenv("PATH");
    os::Spawn spawn;
    spawn.argv = argv;
    spawn.environment = {fmt::format("PATH={}", path ? path : "/usr/bin:/bin"), "LC_ALL=C.UTF-8"};
    spawn.standard_input = in.read.get();
    spawn.standard_output = out.write.get();
    spawn.standard_error = out.write.get();
    spawn.signal_when_we_die = SIGTERM;
    std::signal(SIGPIPE, SIG_IGN);
    GK_TRY(const pid_t pid, os::spawn(spawn));
    in.read.reset();
    out.write.reset();
    const auto deadline = Clock::now() + time;
    Ran ran;
    int status = 0;
    const bool ended = talk(in.write, out.read, input, deadline, ran.output) && wait_until(pid, deadline, status);
    if (!ended) {
        ::kill(-pid, SIGKILL);  // it leads a session of its own
        ::waitpid(pid, &status, 0);
        return fail(Errc::Timeout, fmt::format("'{}' did not end within {} s", argv[0],
                                               std::chrono::duration_cast<std::chrono::seconds>(time).count()));
    }
    ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
}

std::string find_program(const std::vector<std::string>& names) {
    const char* path = std::getenv("PATH");
    const std::string places = std::string(path ? path : "") + ":/usr/bin:/usr/sbin:/bin:/usr/local/bin";
    for (const auto& name : names)
        for (const auto place : text::split(places, ':')) {
            if (place.empty() || place[0] != '/') continue;
            std::string full = fmt::format("{}/{}", place, name);
            if (::access(full.c_str(), X_OK) == 0) return full;
        }
    return {};
}

}  // namespace gk::dnscheck
