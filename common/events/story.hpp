// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"
#include "common/events/record.hpp"

namespace gk::events {

// Calls TAKE with every line of a source; from the beginning on each call.
using Lines = std::function<Status(const std::function<void(std::string_view)>& take)>;

// The events of one message through all programs, oldest first: those that carry ID as trace id (id), queue id or
// DSN id, and those that these lead to. Reads the source as often as new ids turn up (rarely more than twice).
Result<std::vector<Record>> trace(const std::string& id, const Lines& lines,
                                  std::optional<Record> (*parse)(std::string_view));

// All lines of PATHS.log/*.log.
Status read_logs(const std::string& log_directory, const std::function<void(std::string_view)>& take);

// Follows PATHS.log/*.log as they grow, appear and are replaced.
class Follower {
public:
    // FROM_START: what is there already counts as new.
    Follower(std::string log_directory, bool from_start);
    // The complete lines added since the last call, file by file.
    Status poll(const std::function<void(std::string_view)>& take);

private:
    struct Tail {
        std::uint64_t device = 0, inode = 0, offset = 0;
        std::string part;
    };
    std::string directory_;
    std::map<std::string, Tail> tails_;
    bool from_start_;
};

}  // namespace gk::events
