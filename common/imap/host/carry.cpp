// SPDX-License-Identifier: MIT
#include "common/imap/host/carry.hpp"

#include <poll.h>
#include <unistd.h>
#include <cerrno>

namespace gk::imap {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadSize = 16 * 1024;

class Carrier {
public:
    Carrier(Session& session, CarryOptions options) : session_(session), options_(std::move(options)) {}

    Carried run() {
        heard_ = Clock::now();
        while (result_.end.empty()) {
            session_.set_time(Clock::now());
            session_.run();
            if (!drain()) break;
            if (session_.has_work()) continue;
            if (options_.after_turn) options_.after_turn(session_);
            if (session_.closed()) {
                if (result_.end.empty()) result_.end = farewell_.empty() ? "logout" : farewell_;
                break;
            }
            wait();
        }
        return result_;
    }

private:
    // Writes what waits; false when the client does not take it.
    bool drain() {
        OutputQueue& output = session_.output();
        while (!output.empty()) {
            const std::string_view bytes = output.front();
            if (bytes.empty()) break;
            pollfd fds[2] = {{options_.out, POLLOUT, 0},
                             {options_.signals != nullptr ? options_.signals->fd() : -1, POLLIN, 0}};
            const int ready = ::poll(fds, 2, static_cast<int>(options_.write_timeout.count()));
            if (ready < 0 && errno == EINTR) continue;
            if (ready <= 0) return end("write");
            if (!(fds[0].revents & POLLOUT)) {
                if (fds[0].revents != 0) return end("closed");
                return end("stop");  // asked to stop, and the client takes nothing: no farewell would arrive
            }
            const ssize_t written = ::write(options_.out, bytes.data(), bytes.size());
            if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
            if (written <= 0) return end("closed");
            result_.octets_out += static_cast<std::uint64_t>(written);
            output.consume(static_cast<std::size_t>(written));
        }
        return true;
    }

    bool end(std::string_view why) {
        result_.end = why;
        return false;
    }

    void farewell(std::string_view why, std::string_view text) {
        farewell_ = why;
        session_.bye(text);
    }

    void wait() {
        pollfd fds[3] = {{options_.in, POLLIN, 0},
                         {options_.notes, POLLIN, 0},
                         {options_.signals != nullptr ? options_.signals->fd() : -1, POLLIN, 0}};
        milliseconds timeout = std::chrono::duration_cast<milliseconds>(heard_ + options_.idle_timeout - Clock::now());
        const bool looks = options_.look_interval.count() > 0;
        if (looks) timeout = std::min(timeout, options_.look_interval);
        const int ready = ::poll(fds, 3, static_cast<int>(std::max<std::int64_t>(0, timeout.count())));
        if (ready < 0) return;
        if (ready == 0) {
            if (Clock::now() >= heard_ + options_.idle_timeout) farewell("idle", "Silent for too long");
            else if (looks) session_.changed(store::Look::Thorough);
            return;
        }
        if (fds[2].revents != 0) return farewell("stop", "The server is stopping, try again soon");
        if (fds[1].revents != 0 && options_.on_notes && !options_.on_notes(session_)) {
            // Without a parent nobody counts this session or tells it of changes.
            options_.notes = -1;
            return farewell("parent", "The server was restarted, connect again");
        }
        if (fds[0].revents != 0) read_client();
    }

    void read_client() {
        char buffer[kReadSize];
        const ssize_t count = ::read(options_.in, buffer, sizeof buffer);
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
        if (count <= 0) {
            result_.end = "closed";
            return;
        }
        heard_ = Clock::now();
        result_.octets_in += static_cast<std::uint64_t>(count);
        session_.feed({buffer, static_cast<std::size_t>(count)});
    }

    Session& session_;
    CarryOptions options_;
    Carried result_;
    std::string_view farewell_;
    Clock::time_point heard_;
};

}  // namespace

Carried carry(Session& session, CarryOptions options) { return Carrier(session, std::move(options)).run(); }

}  // namespace gk::imap
