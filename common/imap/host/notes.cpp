// SPDX-License-Identifier: MIT
#include "common/imap/host/notes.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <cerrno>

#include "common/imap/fields.hpp"

namespace gk::imap {

namespace {

constexpr std::size_t kMaxNote = 64 * 1024;  // a text of kMaxTold and a state, percent-encoded

std::optional<Note> parse_would_sleep(std::string_view line) {
    WouldSleep sleep;
    const bool good = read_fields(line, "Z", [&](std::string_view key, std::string value) {
        const std::uint64_t number = text::to_uint(value).value_or(0);
        if (key == "heard") sleep.heard = number;
        else if (key == "read") sleep.read = number;
        else if (key == "written") sleep.written = number;
        else if (key == "left") sleep.left_ms = number;
        else if (key == "idle") sleep.idling = number == 1;
        else if (key == "state") sleep.state = std::move(value);
    });
    if (!good || sleep.state.empty()) return std::nullopt;
    return sleep;
}

std::optional<Note> parse_gave_up(std::string_view line) {
    GaveUp gave_up;
    const bool good = read_fields(line, "U", [&](std::string_view key, std::string value) {
        if (key == "read") gave_up.read = text::to_uint(value).value_or(0);
        else if (key == "written") gave_up.written = text::to_uint(value).value_or(0);
        else if (key == "rest") gave_up.rest = std::move(value);
    });
    if (!good) return std::nullopt;
    return gave_up;
}

std::optional<Note> parse_told(std::string_view line) {
    Told told;
    const bool good = read_fields(line, "T", [&](std::string_view key, std::string value) {
        if (key == "token") told.token = std::move(value);
        else if (key == "text") told.text = std::move(value);
        else if (key == "state") told.state = std::move(value);
        else if (key == "end") told.end = value == "1";
    });
    if (!good || told.token.empty()) return std::nullopt;
    return told;
}

}  // namespace

std::string format_note(const Note& note) {
    if (const auto* selected = std::get_if<Selected>(&note))
        return fmt::format("S\t{}\t{}", text::percent_encode(selected->mailbox),
                           text::percent_encode(selected->directory));
    if (const auto* change = std::get_if<OwnChange>(&note))
        return fmt::format("C\t{}\t{}", text::percent_encode(change->mailbox), change->modseq);
    if (const auto* sleep = std::get_if<WouldSleep>(&note))
        return fmt::format("Z\theard={}\tread={}\twritten={}\tleft={}\tidle={}\tstate={}", sleep->heard, sleep->read,
                           sleep->written, sleep->left_ms, sleep->idling ? 1 : 0, text::percent_encode(sleep->state));
    if (const auto* gave_up = std::get_if<GaveUp>(&note))
        return fmt::format("U\tread={}\twritten={}\trest={}", gave_up->read, gave_up->written,
                           text::percent_encode(gave_up->rest));
    if (const auto* told = std::get_if<Told>(&note))
        return fmt::format("T\ttoken={}\ttext={}\tstate={}\tend={}", text::percent_encode(told->token),
                           text::percent_encode(told->text), text::percent_encode(told->state), told->end ? 1 : 0);
    if (const auto* watches = std::get_if<Watches>(&note)) return watches->account ? "W\t1" : "W\t0";
    return std::get<LookNow>(note).thorough ? "L\t1" : "L\t0";
}

std::optional<Note> parse_note(std::string_view datagram) {
    const auto parts = text::split(datagram, '\t');
    if (parts[0] == "W" && parts.size() == 2) return Watches{parts[1] == "1"};
    if (parts[0] == "L" && parts.size() == 2) return LookNow{parts[1] == "1"};
    if (parts[0] == "Z") return parse_would_sleep(datagram);
    if (parts[0] == "U") return parse_gave_up(datagram);
    if (parts[0] == "T") return parse_told(datagram);
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

bool send_note(int fd, const Note& note) noexcept {
    if (fd < 0) return false;
    const std::string datagram = format_note(note);
    return ::send(fd, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL) ==
           static_cast<ssize_t>(datagram.size());
}

bool send_note_surely(int fd, const Note& note) noexcept {
    while (!send_note(fd, note)) {
        pollfd room{fd, POLLOUT, 0};
        if (errno != EAGAIN && errno != EINTR) return false;
        if (::poll(&room, 1, -1) < 0 && errno != EINTR) return false;
        if (room.revents & (POLLERR | POLLHUP)) return false;
    }
    return true;
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
