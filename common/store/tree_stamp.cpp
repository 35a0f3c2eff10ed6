// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/stat.h>

#include "common/base/text.hpp"
#include "common/store/state.hpp"

namespace gk::store {

TreeStamp tree_stamp_now(const State& state) noexcept {
    struct stat status {};
    if (::stat(state.root.c_str(), &status) != 0) return {};
    return {static_cast<std::int64_t>(status.st_ino),
            static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec,
            static_cast<std::int64_t>(status.st_nlink), kTooYoung};
}

Result<TreeStamp> load_tree_stamp(State& state) {
    GK_TRY(auto query, state.index.prepare("SELECT value FROM account WHERE key = 'tree'"));
    GK_TRY(const bool row, query.step());
    TreeStamp stamp;
    if (!row) return stamp;
    const std::string value(query.text(0));
    query.reset();
    const auto parts = text::split(value, ' ');
    if (parts.size() != 4) return stamp;
    std::int64_t numbers[4] = {};
    for (std::size_t i = 0; i < 4; ++i) {
        const auto number = text::to_uint(parts[i]);
        if (!number) return stamp;
        numbers[i] = static_cast<std::int64_t>(*number);
    }
    return TreeStamp{numbers[0], numbers[1], numbers[2], static_cast<int>(numbers[3])};
}

Status save_tree_stamp(State& state, const TreeStamp& stamp) {
    GK_TRY(auto save, state.index.prepare("INSERT OR REPLACE INTO account(key, value) VALUES('tree', ?)"));
    return save.bind(fmt::format("{} {} {} {}", stamp.inode, stamp.mtime_ns, stamp.links, stamp.trust)).run();
}

TreeChange::TreeChange(State& state) : state_(state) {
    const auto known = load_tree_stamp(state);
    known_before_ = known && known->fits(tree_stamp_now(state));
    if (known_before_) links_before_ = known->links;
}

Status TreeChange::done(int directories) {
    if (!known_before_) return ok();
    TreeStamp now = tree_stamp_now(state_);
    // Another's change as well; where a file system does not count, all is as before.
    if (now.links != links_before_ + directories && now.links != links_before_) return ok();
    now.trust = kOwnChange;
    return save_tree_stamp(state_, now);
}

}  // namespace gk::store
