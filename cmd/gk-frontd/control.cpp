// SPDX-License-Identifier: MIT
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <cerrno>

#include "cmd/gk-frontd/connection.hpp"
#include "cmd/gk-frontd/token.hpp"
#include "common/base/log.hpp"

// The line to gk-imapd's parent about sleeping sessions. Without it nobody sleeps.
namespace gk::front {

os::Fd connect_now(const std::string& path) {
    sockaddr_un address{};
    os::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd || path.size() >= sizeof address.sun_path) return {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    return fd;
}

bool send_line(int fd, std::string_view line) {
    return ::send(fd, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(line.size());
}

std::uint64_t Front::at(std::uint32_t slot) const noexcept { return token(slot, 0, slots_[slot].generation); }

void Front::need_control() {
    if (control_ || draining_) return;
    control_ = connect_now(config_.paths().run + "/imap.sock");
    if (!control_) return;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    event.data.u64 = token(kControl, kListenerSide, 0);
    if (!send_line(control_.get(), imap::format_control({.verb = imap::Control::Verb::Front, .name = name_})) ||
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, control_.get(), &event) != 0)
        control_.reset();
}

// A parent that does not read is none: its clients are told so when the line has ended.
void Front::tell_imapd(const imap::Control& control) {
    if (control_ && !send_line(control_.get(), imap::format_control(control))) ::shutdown(control_.get(), SHUT_RDWR);
}

void Front::read_control() {
    while (control_) {
        const ssize_t count = ::recv(control_.get(), scratch(), scratch_size(), MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) return;
        if (count <= 0 || control_in_.size() > imap::kMaxControlLine) return lose_control();
        std::string heard = std::exchange(control_in_, {});
        heard.append(scratch(), static_cast<std::size_t>(count));
        std::size_t begin = 0;
        for (std::size_t lf = heard.find('\n'); lf != std::string::npos; lf = heard.find('\n', begin)) {
            on_control_line(std::string_view(heard).substr(begin, lf - begin));
            begin = lf + 1;
        }
        control_in_ = heard.substr(begin);
    }
}

void Front::on_control_line(std::string_view line) {
    const auto control = imap::parse_control(line);
    if (!control) {
        log::Event("front.control_malformed", log::Level::Error).field("error", control.error().text);
        return;
    }
    const auto slot = static_cast<std::uint32_t>(control->at);
    if (slot < slots_.size() && slots_[slot].connection && at(slot) == control->at &&
        std::find(finished_.begin(), finished_.end(), slot) == finished_.end())
        return slots_[slot].connection->on_control(*control);
    // The client went away meanwhile.
    if (control->verb == imap::Control::Verb::Sleep)
        tell_imapd({.verb = imap::Control::Verb::Awake, .token = control->token});
}

void Front::lose_control() {
    control_.reset();
    control_in_.clear();
    for (auto& slot : slots_)
        if (slot.connection) slot.connection->lose_imapd();
}

}  // namespace gk::front
