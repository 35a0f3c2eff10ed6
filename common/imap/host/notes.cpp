// SPDX-License-Identifier: MIT
#include "common/imap/host/notes.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <cerrno>

#include "common/base/text.hpp"

namespace gk::imap {

namespace {

constexpr std::size_t kMaxNote = 16 * 1024;  // two paths, percent-encoded

}  // namespace

std::string format_note(const Note& note) {
    if (const auto* selected = std::get_if<Selected>(&note))
        return fmt::format("S\t{}\t{}", text::percent_encode(selected->mailbox),
                           text::percent_encode(selected->directory));
    if (const auto* change = std::get_if<OwnChange>(&note))
        return fmt::format("C\t{}\t{}", text::percent_encode(change->mailbox), change->modseq);
    if (const auto* watches = std::get_if<Watches>(&note)) return watches->account ? "W\t1" : "W\t0";
    return std::get<LookNow>(note).thorough ? "L\t1" : "L\t0";
}

std::optional<Note> parse_note(std::string_view datagram) {
    const auto parts = text::split(datagram, '\t');
    if (parts[0] == "W" && parts.size() == 2) return Watches{parts[1] == "1"};
    if (parts[0] == "L" && parts.size() == 2) return LookNow{parts[1] == "1"};
    if (parts.size() != 3) return std::nullopt;
    auto mailbox = text::percent_decode(parts[1]);
    if (!mailbox) return std::nullopt;
    if (parts[0] == "S") {
        auto directory = text::percent_decode(parts[2]);
        if (!directory) return std::nullopt;
        return Selected{std::move(*mailbox), std::move(*directory)};
    }
    if (parts[0] == "C") {
        const auto modseq = text::to_uint(parts[2]);
        if (!modseq) return std::nullopt;
        return OwnChange{std::move(*mailbox), *modseq};
    }
    return std::nullopt;
}

void send_note(int fd, const Note& note) noexcept {
    if (fd < 0) return;
    const std::string datagram = format_note(note);
    static_cast<void>(::send(fd, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

std::optional<Note> receive_note(int fd, bool& closed) noexcept {
    char buffer[kMaxNote];
    for (;;) {
        const ssize_t count = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) return std::nullopt;
        if (count <= 0) {
            closed = true;
            return std::nullopt;
        }
        if (auto note = parse_note({buffer, static_cast<std::size_t>(count)})) return note;
    }
}

void NoteSink::changed(const store::Change& change) noexcept {
    send_note(fd_, OwnChange{std::string(change.mailbox), change.modseq});
}

}  // namespace gk::imap
