// SPDX-License-Identifier: MIT
#include "common/os/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>

#include "common/os/fd.hpp"
#include "common/os/sandbox.hpp"

namespace gk::os {

namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> out;
    for (const auto& s : strings) out.push_back(const_cast<char*>(s.c_str()));
    out.push_back(nullptr);
    return out;
}

[[noreturn]] void give_up(int report_fd, int step) {
    const int message[2] = {step, errno};
    (void)!::write(report_fd, message, sizeof message);
    ::_exit(127);
}

enum Step { kExec, kIdentity, kDescriptors, kDirectory };
constexpr const char* kStepTexts[] = {"cannot execute '{}'", "cannot change user for '{}'",
                                      "cannot pass descriptors to '{}'", "cannot change directory for '{}'"};

// In the child, between fork and exec: system calls only, besides what was prepared before.
[[noreturn]] void become(const Spawn& what, std::vector<char*>& argv, std::vector<char*>& environment, char* listen_pid,
                         int report_fd, pid_t parent) {
    sigset_t none;
    ::sigemptyset(&none);
    for (int number = 1; number < 32; ++number) ::signal(number, SIG_DFL);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    ::setsid();

    // First above everything we are going to overwrite, then down to their places.
    const int count = static_cast<int>(what.descriptors.size());
    const int above = 3 + count + 3;
    std::vector<int> high;
    int moved_report = ::fcntl(report_fd, F_DUPFD_CLOEXEC, above);
    if (moved_report < 0) give_up(report_fd, kDescriptors);
    for (const int fd : what.descriptors) high.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, above));
    const int error = what.standard_error >= 0 ? ::fcntl(what.standard_error, F_DUPFD_CLOEXEC, above) : STDERR_FILENO;
    const int output = what.standard_output >= 0 ? ::fcntl(what.standard_output, F_DUPFD_CLOEXEC, above)
                                                 : ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    const int input = what.standard_input >= 0 ? ::fcntl(what.standard_input, F_DUPFD_CLOEXEC, above)
                                               : ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (error < 0 || output < 0 || input < 0) give_up(moved_report, kDescriptors);
    if (::dup2(error, 2) < 0 || ::dup2(output, 1) < 0 || ::dup2(input, 0) < 0) give_up(moved_report, kDescriptors);
    for (int i = 0; i < count; ++i)
        if (high[static_cast<std::size_t>(i)] < 0 || ::dup2(high[static_cast<std::size_t>(i)], 3 + i) < 0)
            give_up(moved_report, kDescriptors);
    close_descriptors_from(3 + count, {moved_report});

    if (what.open_files > 0) {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        const rlim_t wanted = what.open_files;
        if (rlimit more{wanted, std::max(wanted, limit.rlim_max)}; ::setrlimit(RLIMIT_NOFILE, &more) != 0) {
            limit.rlim_cur = std::min(wanted, limit.rlim_max);  // not root: as far as the hard limit goes
            ::setrlimit(RLIMIT_NOFILE, &limit);
        }
    }
    if (what.identity) {
        const auto& who = *what.identity;
        if (::setgroups(who.supplementary.size(), who.supplementary.data()) != 0 || ::setgid(who.gid) != 0 ||
            ::setuid(who.uid) != 0)
            give_up(moved_report, kIdentity);
    }
    if (what.umask >= 0) ::umask(static_cast<mode_t>(what.umask));
    if (what.signal_when_we_die != 0) {  // after the change of user, which clears it (prctl(2))
        ::prctl(PR_SET_PDEATHSIG, what.signal_when_we_die, 0, 0, 0);
        if (::getppid() != parent) ::_exit(127);
    }
    if (::chdir(what.directory.c_str()) != 0) give_up(moved_report, kDirectory);
    if (listen_pid != nullptr) {  // digits, written without the allocator
        char digits[16];
        int length = 0;
        for (pid_t pid = ::getpid(); pid > 0; pid /= 10) digits[length++] = static_cast<char>('0' + pid % 10);
        while (length > 0) *listen_pid++ = digits[--length];
        *listen_pid = '\0';
    }
    ::execve(argv[0], argv.data(), environment.data());
    give_up(moved_report, kExec);
}

}  // namespace

Result<Identity> find_identity(const std::string& user, const std::string& group,
                               const std::vector<std::string>& supplementary) {
    errno = 0;
    const passwd* entry = ::getpwnam(user.c_str());
    if (entry == nullptr) return fail(Errc::NotFound, fmt::format("no user '{}' on this system", user));
    Identity who{entry->pw_uid, entry->pw_gid, user, {}};
    auto gid_of = [](const std::string& name) -> Result<gid_t> {
        const ::group* found = ::getgrnam(name.c_str());
        if (found == nullptr) return fail(Errc::NotFound, fmt::format("no group '{}' on this system", name));
        return found->gr_gid;
    };
    if (!group.empty()) {
        GK_TRY(who.gid, gid_of(group));
    }
    int count = 64;
    who.supplementary.resize(64);
    if (::getgrouplist(user.c_str(), who.gid, who.supplementary.data(), &count) < 0) {
        who.supplementary.resize(static_cast<std::size_t>(count));
        ::getgrouplist(user.c_str(), who.gid, who.supplementary.data(), &count);
    }
    who.supplementary.resize(static_cast<std::size_t>(count));
    for (const auto& name : supplementary) {
        GK_TRY(const gid_t gid, gid_of(name));
        who.supplementary.push_back(gid);
    }
    return who;
}

Result<pid_t> spawn(const Spawn& what) {
    if (what.argv.empty()) return fail(Errc::Bug, "no program to start");
    auto environment = what.environment;
    if (what.tell_listen_pid) environment.emplace_back("LISTEN_PID=0000000000000");  // room for the digits
    auto argv = pointers(what.argv);
    auto variables = pointers(environment);
    char* listen_pid =
        what.tell_listen_pid ? environment.back().data() + std::string_view("LISTEN_PID=").size() : nullptr;

    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("cannot make a pipe");
    Fd reader(ends[0]), writer(ends[1]);
    const pid_t parent = ::getpid(), pid = ::fork();
    if (pid < 0) return fail_errno("cannot fork");
    if (pid == 0) become(what, argv, variables, listen_pid, writer.get(), parent);
    writer.reset();

    int message[2];
    ssize_t got = 0;
    do got = ::read(reader.get(), message, sizeof message);
    while (got < 0 && errno == EINTR);
    if (got == sizeof message) {
        ::waitpid(pid, nullptr, 0);
        return tl::unexpected<Error>(
            os_error(message[1], fmt::format(fmt::runtime(kStepTexts[message[0]]), what.argv[0])));
    }
    return pid;
}

}  // namespace gk::os
