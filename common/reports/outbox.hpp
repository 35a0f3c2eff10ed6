// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace gk::reports {

// Messages that are written but not in the spool yet; see send.hpp. One sender at a time.
class Outbox {
public:
    // DIR and SPOOL are on one file system: the spool's.
    Outbox(std::string dir, std::string spool) : dir_(std::move(dir)), spool_(std::move(spool)) {}

    // Durable when it returns; ID becomes the queue id.
    Status stage(const std::string& id, const std::string& sender, const std::string& recipient,
                 std::string_view message) const;
    bool has(const std::string& id) const;
    // Into the spool, durably. Good where it is there already.
    Status release(const std::string& id) const;
    // Removes what no row knows.
    template <class Known>
    Status tidy(Known known) const {
        for (const auto& id : staged())
            if (!known(id)) remove(id);
        return clear_unfinished();
    }

private:
    std::vector<std::string> staged() const;
    void remove(const std::string& id) const;
    Status clear_unfinished() const;
    std::string dir_, spool_;
};

}  // namespace gk::reports
