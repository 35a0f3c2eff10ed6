// SPDX-License-Identifier: MIT
#include "common/imap/host/watcher.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cstring>
#include <utility>

namespace gk::imap {

namespace {

// Flags and deliveries are renames, deletions unlinks; mblaze and some others link.
constexpr std::uint32_t kEvents = IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ONLYDIR;
// A STORE on ten thousand messages would be twenty thousand events, each of which makes its rename slower: of a cur/
// one is told, and then none until somebody listens again.
constexpr std::uint32_t kCurEvents = kEvents | IN_ONESHOT;

std::string cur_of(const std::string& directory) { return directory + "/cur"; }

std::int64_t touched_at(const std::string& directory) {
    struct stat status {};
    if (::stat(cur_of(directory).c_str(), &status) != 0) return 0;
    return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

}  // namespace

Watcher::Watcher() : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

void Watcher::add(const std::string& directory) {
    Watched& watched = watched_[directory];
    if (watched.count++ > 0 || !fd_) return;
    watched.cur = ::inotify_add_watch(fd_.get(), cur_of(directory).c_str(), kCurEvents);
    watched.fresh = ::inotify_add_watch(fd_.get(), (directory + "/new").c_str(), kEvents);
    for (const int number : {watched.cur, watched.fresh})
        if (number >= 0) directory_of_[number] = directory;
}

void Watcher::remove(const std::string& directory) {
    const auto at = watched_.find(directory);
    if (at == watched_.end() || --at->second.count > 0) return;
    for (const int number : {at->second.cur, at->second.fresh}) {
        if (number < 0) continue;
        ::inotify_rm_watch(fd_.get(), number);
        directory_of_.erase(number);
    }
    watched_.erase(at);
}

std::vector<Watcher::Touched> Watcher::touched() {
    std::map<std::string, bool> found;
    alignas(inotify_event) char buffer[16 * 1024];
    for (;;) {
        const ssize_t count = ::read(fd_.get(), buffer, sizeof buffer);
        if (count <= 0) break;
        for (ssize_t at = 0; at < count;) {
            inotify_event event;
            std::memcpy(&event, buffer + at, sizeof event);
            at += static_cast<ssize_t>(sizeof event + event.len);
            if (event.mask & IN_Q_OVERFLOW) {
                // Among what was lost may be the one word of any cur/.
                for (auto& [directory, watched] : watched_) {
                    found[directory] = true;
                    if (watched.cur < 0) continue;
                    ::inotify_rm_watch(fd_.get(), watched.cur);
                    directory_of_.erase(watched.cur);
                    watched.cur = -1;
                    watched.told_ns = touched_at(directory);
                    deaf_.push_back(directory);
                }
            } else if (const auto known = directory_of_.find(event.wd); known != directory_of_.end()) {
                Watched& watched = watched_.at(known->second);
                const bool arrived = event.wd == watched.fresh && (event.mask & (IN_MOVED_TO | IN_CREATE)) != 0;
                found[known->second] |= arrived;
                if (event.wd != watched.cur) continue;
                watched.cur = -1;
                watched.told_ns = touched_at(known->second);
                deaf_.push_back(std::move(known->second));
                directory_of_.erase(known);
            }
        }
    }
    std::vector<Touched> touched;
    for (const auto& [directory, arrived] : found) touched.push_back({directory, arrived});
    return touched;
}

std::vector<std::string> Watcher::listen_again() {
    std::vector<std::string> touched;
    for (std::string& directory : std::exchange(deaf_, {})) {
        const auto at = watched_.find(directory);
        if (at == watched_.end() || at->second.cur >= 0) continue;
        at->second.cur = ::inotify_add_watch(fd_.get(), cur_of(directory).c_str(), kCurEvents);
        if (at->second.cur < 0) continue;
        directory_of_[at->second.cur] = directory;
        if (touched_at(directory) != at->second.told_ns) touched.push_back(std::move(directory));
    }
    return touched;
}

void Watcher::overlook(const std::string& directory) {
    if (const auto at = watched_.find(directory); at != watched_.end()) at->second.told_ns = touched_at(directory);
}

}  // namespace gk::imap
