// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gk::mailauth::authres {

// Takes fields out of a message while it streams by: Authentication-Results that claim to be ours (RFC 8601, 5), and
// the names in `always`, which are for us alone to write. Any split of the input gives the same output; what is held
// back is at most one field of such a name, and of it at most kMostHeld octets. All else passes as it is, in pieces as
// large as they came.
class FieldFilter {
public:
    static constexpr std::size_t kMostHeld = 64 * 1024;

    // IDS: our authserv-ids. ALWAYS: names in lower case. Both must outlive it.
    FieldFilter(const std::vector<std::string>& ids, const std::vector<std::string>& always) noexcept
        : ids_(ids), always_(always) {}

    using Sink = std::function<void(std::string_view)>;
    void feed(std::string_view bytes, const Sink& sink);
    void finish(const Sink& sink);  // the message ended, perhaps within its header
    unsigned removed() const noexcept { return removed_; }

private:
    enum class State {
        Name,  // at a line's begin, or in a name that may be one of those: held
        Pass,  // in a line that stays
        Hold,  // in an Authentication-Results field: held until it is whole
        Drop,  // in a field that goes
        Body,
    };
    void take_name(char c, std::string_view& bytes, const Sink& sink);
    bool may_continue(std::string_view name) const noexcept;
    void end_held(const Sink& sink);
    void release(const Sink& sink);

    const std::vector<std::string>& ids_;
    const std::vector<std::string>& always_;
    State state_ = State::Name;
    State line_before_ = State::Pass;  // what became of the field so far: a fold goes the same way
    std::string held_, name_;
    bool space_ = false;  // white space behind the name
    unsigned removed_ = 0;
};

}  // namespace gk::mailauth::authres
