// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/os/fd.hpp"

namespace gk::imap {

// One inotify instance for all mailboxes that sessions have selected: tells which were touched by whatever program.
// Mailboxes are named by their directory. Single-threaded.
class Watcher {
public:
    Watcher();

    int fd() const noexcept { return fd_.get(); }  // -1: the kernel gave none; sessions then look when they are asked
    // Counted: as many remove() as add().
    void add(const std::string& directory);
    void remove(const std::string& directory);
    struct Touched {
        std::string directory;
        bool arrived = false;  // something came into new/, which only deliveries do
    };
    // The mailboxes touched since the last call; without blocking, each once. Of what happens in a cur/ after that
    // nothing is told until listen_again().
    std::vector<Touched> touched();
    // The directories whose cur/ was touched meanwhile.
    std::vector<std::string> listen_again();
    // What was touched in DIRECTORY's cur/ so far is no news.
    void overlook(const std::string& directory);

private:
    struct Watched {
        int cur = -1, fresh = -1, count = 0;
        std::int64_t told_ns = 0;  // mtime of cur/, when it was told of as touched
    };
    os::Fd fd_;
    std::map<std::string, Watched> watched_;
    std::unordered_map<int, std::string> directory_of_;
    std::vector<std::string> deaf_;  // whose cur/ is not listened to just now
};

}  // namespace gk::imap
