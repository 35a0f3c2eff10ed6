// SPDX-License-Identifier: MIT
#include "common/store/change_socket.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/text.hpp"

namespace gk::store {

std::string format_change(const Change& change) {
    return fmt::format("{}\t{}\t{}", text::percent_encode(change.account), text::percent_encode(change.mailbox),
                       change.modseq);
}

std::optional<ReceivedChange> parse_change(std::string_view datagram) {
    const auto fields = text::split(datagram, '\t');
    if (fields.size() != 3) return std::nullopt;
    const auto account = text::percent_decode(fields[0]), mailbox = text::percent_decode(fields[1]);
    const auto modseq = text::to_uint(fields[2]);
    if (!account || !mailbox || !modseq) return std::nullopt;
    return ReceivedChange{*account, *mailbox, *modseq};
}

ChangeSocket::ChangeSocket(std::string path)
    : path_(std::move(path)), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {}

void ChangeSocket::changed(const Change& change) noexcept {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (!fd_ || path_.size() >= sizeof address.sun_path) return;
    path_.copy(address.sun_path, path_.size());
    try {
        const std::string datagram = format_change(change);
        ::sendto(fd_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
                 sizeof address);
    } catch (const std::bad_alloc&) {
        // Listeners ask for what they missed.
    }
}

}  // namespace gk::store
