// SPDX-License-Identifier: MIT
#include "common/reports/mailbox.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>

#include "common/maildir/listing.hpp"
#include "common/os/owner.hpp"
#include "common/os/sandbox.hpp"

namespace gk::reports {
namespace {

// From the child: 'N' + length + name, then, where the answer was 'y', 'B' + length + bytes or 'L' (too large); at the
// end 'E' + length + error, which is empty where all went well.
constexpr std::uint64_t kMostName = 255;

bool send_all(int fd, const void* from, std::size_t size) {
    const char* at = static_cast<const char*>(from);
    while (size > 0) {
        const ssize_t n = ::send(fd, at, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        size -= static_cast<std::size_t>(n);
    }
    return true;
}

bool receive_all(int fd, void* to, std::size_t size) {
    char* at = static_cast<char*>(to);
    while (size > 0) {
        const ssize_t n = ::recv(fd, at, size, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        size -= static_cast<std::size_t>(n);
    }
    return true;
}

bool send_frame(int fd, char kind, std::string_view bytes) {
    const std::uint64_t length = bytes.size();
    return send_all(fd, &kind, 1) && send_all(fd, &length, sizeof length) && send_all(fd, bytes.data(), bytes.size());
}

// The whole message; false where it is too large or no plain file.
bool read_message(const std::string& path, std::uint64_t most_octets, std::string& out) {
    out.clear();
    const os::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
        static_cast<std::uint64_t>(status.st_size) > most_octets)
        return false;
    out.resize(static_cast<std::size_t>(status.st_size));
    std::size_t have = 0;
    while (have < out.size()) {
        const ssize_t n = ::read(fd.get(), out.data() + have, out.size() - have);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        have += static_cast<std::size_t>(n);
    }
    out.resize(have);
    return true;
}

Status hand_over(int fd, const std::string& mailbox, std::uint64_t most_octets) {
    GK_CHECK(os::become_owner_of(mailbox));
    os::Sandbox sandbox;
    sandbox.read_only = {mailbox};
    GK_TRY(const auto report, os::enter(sandbox));
    (void)report;
    maildir::Listing listing;
    for (const char* name : {"new", "cur"}) {
        const auto read = listing.read(mailbox + "/" + name, name[0] == 'n');
        if (!read && read.error().code != Errc::NotFound) return read;
    }
    std::string bytes;
    for (std::size_t i = 0; i < listing.size(); ++i) {
        char answer = 'n';
        if (!send_frame(fd, 'N', listing.base(i)) || !receive_all(fd, &answer, 1)) return ok();  // nobody listens
        if (answer != 'y') continue;
        const std::string path = fmt::format("{}/{}/{}", mailbox, listing.is_new(i) ? "new" : "cur", listing.name(i));
        const bool whole = read_message(path, most_octets, bytes);
        if (!send_frame(fd, whole ? 'B' : 'L', whole ? bytes : std::string())) return ok();
    }
    return ok();
}

}  // namespace

Result<MailboxReader> MailboxReader::start(const std::string& mailbox, std::uint64_t most_octets) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return fail_errno("cannot make a socket pair");
    os::Fd ours(pair[0]), theirs(pair[1]);
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno("cannot start the reader of a mailbox");
    if (pid == 0) {
        ours.reset();
        const auto done = hand_over(theirs.get(), mailbox, most_octets);
        (void)send_frame(theirs.get(), 'E', done ? std::string_view() : std::string_view(done.error().text));
        ::_exit(0);
    }
    return MailboxReader(std::move(ours), pid);
}

MailboxReader::MailboxReader(MailboxReader&& other) noexcept
    : fd_(std::move(other.fd_)), pid_(std::exchange(other.pid_, -1)) {}

MailboxReader::~MailboxReader() {
    fd_.reset();  // which ends the child
    if (pid_ > 0)
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
}

Status MailboxReader::read(const std::function<bool(const std::string&)>& wanted,
                           const std::function<Status(const std::string&, const std::string&)>& each) {
    const auto broken = [] { return fail(Errc::Temporary, "the reader of the mailbox has ended"); };
    std::string name, bytes;
    for (;;) {
        char kind = 0;
        std::uint64_t length = 0;
        if (!receive_all(fd_.get(), &kind, 1) || !receive_all(fd_.get(), &length, sizeof length)) return broken();
        if (length > (kind == 'B' ? std::uint64_t{1} << 32 : kMostName * 8)) return broken();
        std::string& into = kind == 'N' ? name : bytes;
        into.resize(static_cast<std::size_t>(length));
        if (!receive_all(fd_.get(), into.data(), into.size())) return broken();
        if (kind == 'E') return bytes.empty() ? ok() : fail(Errc::Permanent, bytes);
        if (kind == 'N') {
            const char answer = wanted(name) ? 'y' : 'n';
            if (!send_all(fd_.get(), &answer, 1)) return broken();
        } else {
            GK_CHECK(each(name, bytes));
        }
    }
}

}  // namespace gk::reports
