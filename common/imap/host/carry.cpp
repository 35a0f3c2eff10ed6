// SPDX-License-Identifier: MIT
#include "common/imap/host/carry.hpp"

#include <poll.h>
#include <unistd.h>
#include <cerrno>

#include "common/imap/host/compression.hpp"

namespace gk::imap {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadSize = 64 * 1024;
// So that others get at the account's index between one chore and the next.
constexpr milliseconds kChorePause{3};

class Carrier {
public:
    Carrier(Session& session, CarryOptions options) : session_(session), options_(std::move(options)) {}

    Carried run() {
        heard_ = active_ = Clock::now();
        while (result_.end.empty()) {
            session_.set_time(Clock::now());
            session_.run();
            if (!drain()) break;
            if (std::string first; session_.begins_to_compress(first) && !begin_compression(first)) break;
            if (session_.has_work() || feed_more()) continue;
            if (!result_.end.empty()) break;
            if (session_.gathering()) {
                if (can_read()) read_client();
                else session_.settle();
                continue;
            }
            if (options_.after_turn) options_.after_turn(session_);
            if (session_.closed()) {
                if (result_.end.empty())
                    result_.end = session_.unauthenticated() ? "unauthenticated"
                                  : farewell_.empty()        ? "logout"
                                                             : farewell_;
                break;
            }
            if (session_.has_chores() && !anything(kChorePause)) session_.do_chore();
            else wait();
        }
        // Where it is to stop, another session does the rest.
        while (session_.has_chores() && result_.end != "stop" && !asked_to_stop(kChorePause)) session_.do_chore();
        return result_;
    }

private:
    // Writes what waits; false when the client does not take it.
    bool drain() {
        OutputQueue& output = session_.output();
        for (;;) {
            if (compression_) compress_more(output);
            const std::string_view bytes = compression_ ? std::string_view(wire_) : next_of(output);
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
            if (compression_) wire_.erase(0, static_cast<std::size_t>(written));
            else output.consume(static_cast<std::size_t>(written));
            active_ = Clock::now();
        }
        return true;
    }

    static std::string_view next_of(OutputQueue& output) {
        return output.empty() ? std::string_view() : output.front();
    }

    // The next block of what waits, compressed; flushed where nothing waits behind it.
    void compress_more(OutputQueue& output) {
        while (wire_.empty() && !output.empty()) {
            const std::string_view plain = next_of(output);
            compression_->compress(plain, false, wire_);
            output.consume(plain.size());
            unflushed_ = true;
        }
        if (wire_.empty() && unflushed_) {
            compression_->compress({}, true, wire_);
            unflushed_ = false;
        }
    }

    bool begin_compression(const std::string& first) {
        auto begun = Compression::begin();
        if (!begun) return end("write");
        compression_ = std::move(*begun);
        compression_->feed(first);
        return true;
    }

    // Decompressed bytes piece by piece, each worked off and its answers taken before the next: what a few bytes grow
    // into never lies in memory.
    bool feed_more() {
        if (!compression_ || session_.closed()) return false;
        const auto plain = compression_->next(kReadSize);
        if (!plain) return end("closed");
        if (plain->empty()) return false;
        session_.feed(*plain);
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

    // When this process may end while the client stays; far away where it must not.
    Clock::time_point sleep_at() const {
        const milliseconds after = session_.idling() ? options_.sleep_after : options_.sleep_silent_after;
        if (asked_ || !options_.would_sleep || after.count() == 0) return Clock::time_point::max();
        return std::max(active_, stayed_) + after;
    }

    void wait() {
        pollfd fds[3] = {{options_.in, POLLIN, 0},
                         {options_.notes, POLLIN, 0},
                         {options_.signals != nullptr ? options_.signals->fd() : -1, POLLIN, 0}};
        const auto idle_at = heard_ + options_.idle_timeout;
        auto timeout = std::chrono::ceil<milliseconds>(std::min(idle_at, sleep_at()) - Clock::now());
        const bool looks = options_.look_interval.count() > 0;
        if (looks) timeout = std::min(timeout, options_.look_interval);
        const int ready = ::poll(fds, 3, static_cast<int>(std::max<std::int64_t>(0, timeout.count())));
        if (ready < 0) return;
        if (ready == 0) {
            if (Clock::now() >= idle_at) farewell("idle", "Silent for too long");
            else if (Clock::now() >= sleep_at()) fall_asleep();
            else if (looks) session_.changed(store::Look::Thorough);
            return;
        }
        if (fds[2].revents != 0) return farewell("stop", "The server is stopping, try again soon");
        if (fds[0].revents != 0) read_client();
        if (!result_.end.empty()) return;
        asked_ = false;
        if (fds[1].revents != 0 && options_.on_notes && !options_.on_notes(session_)) {
            // Without a parent nobody counts this session or tells it of changes.
            options_.notes = -1;
            return farewell("parent", "The server was restarted, connect again");
        }
    }

    void fall_asleep() {
        stayed_ = Clock::now();
        if (session_.idling()) session_.changed(store::Look::Gate);
        // What it has to say now, it says first.
        if (session_.closed() || !session_.output().empty()) return;
        asked_ = options_.would_sleep(
            session_, {options_.read_before + result_.octets_in, result_.octets_out,
                       std::chrono::duration_cast<milliseconds>(heard_ + options_.idle_timeout - Clock::now())});
    }

    // More is there already: what it asks for may share flushes with what waits.
    bool can_read() const {
        pollfd fd{options_.in, POLLIN, 0};
        return ::poll(&fd, 1, 0) == 1;
    }

    bool anything(milliseconds within) const {
        pollfd fds[3] = {{options_.in, POLLIN, 0},
                         {options_.notes, POLLIN, 0},
                         {options_.signals != nullptr ? options_.signals->fd() : -1, POLLIN, 0}};
        return ::poll(fds, 3, static_cast<int>(within.count())) != 0;
    }

    bool asked_to_stop(milliseconds within) const {
        pollfd fd{options_.signals != nullptr ? options_.signals->fd() : -1, POLLIN, 0};
        return ::poll(&fd, 1, static_cast<int>(within.count())) > 0;
    }

    void read_client() {
        char buffer[kReadSize];
        const ssize_t count = ::read(options_.in, buffer, sizeof buffer);
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
        if (count <= 0) {
            session_.settle();  // it asked for that, though it does not hear the answer
            result_.end = asked_ ? "asleep" : "closed";
            return;
        }
        heard_ = active_ = Clock::now();
        result_.octets_in += static_cast<std::uint64_t>(count);
        if (compression_) compression_->feed({buffer, static_cast<std::size_t>(count)});
        else session_.feed({buffer, static_cast<std::size_t>(count)});
    }

    Session& session_;
    CarryOptions options_;
    Carried result_;
    std::string_view farewell_;
    Clock::time_point heard_, active_;  // the client's last word, and anybody's
    Clock::time_point stayed_{};        // when it last could not sleep
    std::unique_ptr<Compression> compression_;
    std::string wire_;        // compressed, not written
    bool unflushed_ = false;  // the compressor holds something back
    bool asked_ = false;      // whether it may sleep, and nobody has answered
};

}  // namespace

Carried carry(Session& session, CarryOptions options) { return Carrier(session, std::move(options)).run(); }

}  // namespace gk::imap
