// SPDX-License-Identifier: MIT
#include "common/imap/host/watcher.hpp"

#include <sys/inotify.h>
#include <unistd.h>

namespace gk::imap {

namespace {

// Flags and deliveries are renames, deletions unlinks; mblaze and some others link.
constexpr std::uint32_t kEvents = IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ONLYDIR;

}  // namespace

Watcher::Watcher() : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

void Watcher::add(const std::string& directory) {
    Watched& watched = watched_[directory];
    if (watched.count++ > 0 || !fd_) return;
    watched.cur = ::inotify_add_watch(fd_.get(), (directory + "/cur").c_str(), kEvents);
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
                for (const auto& [directory, watched] : watched_) found[directory] = true;
            } else if (const auto known = directory_of_.find(event.wd); known != directory_of_.end()) {
                const bool arrived =
                    event.wd == watched_.at(known->second).fresh && (event.mask & (IN_MOVED_TO | IN_CREATE)) != 0;
                found[known->second] |= arrived;
            }
        }
    }
    std::vector<Touched> touched;
    for (const auto& [directory, arrived] : found) touched.push_back({directory, arrived});
    return touched;
}

}  // namespace gk::imap
