// SPDX-License-Identifier: MIT
#include "common/mailauth/authres/field_filter.hpp"

#include <algorithm>

#include "common/base/text.hpp"
#include "common/mailauth/authres/authres.hpp"

namespace gk::mailauth::authres {
namespace {

constexpr std::string_view kName = "authentication-results";
constexpr std::size_t kMostSpace = 16 * 1024;  // of a name and white space before its colon: no reader goes that far

}  // namespace

bool FieldFilter::may_continue(std::string_view name) const noexcept {
    if (kName.starts_with(name)) return true;
    for (const auto& each : always_)
        if (std::string_view(each).starts_with(name)) return true;
    return false;
}

void FieldFilter::release(const Sink& sink) {
    if (!held_.empty()) sink(held_);
    held_.clear();
    name_.clear();
    space_ = false;
}

// The field that was held is whole.
void FieldFilter::end_held(const Sink& sink) {
    const auto colon = held_.find(':');
    if (claims(std::string_view(held_).substr(colon + 1), ids_)) {
        ++removed_;
        held_.clear();
    }
    release(sink);
}

// The first octet of a line, or one of a name that may be among those that go.
void FieldFilter::take_name(char c, std::string_view& bytes, const Sink& sink) {
    const bool at_begin = name_.empty();
    if (at_begin && (c == ' ' || c == '\t')) {
        state_ = line_before_;
        return;
    }
    if (at_begin && line_before_ == State::Hold) {
        // What was held is all of that field. An octet of the next line is not among it yet.
        end_held(sink);
    }
    line_before_ = State::Pass;
    if ((at_begin || name_ == "\r") && c == '\n') {
        // The empty line ends the header.
        release(sink);
        state_ = State::Body;
        return;
    }
    if (name_ == "\r") {
        state_ = State::Pass;
        return release(sink);
    }
    held_ += c;
    bytes.remove_prefix(1);
    if (c == ':' && !at_begin) {
        const bool ours = std::find(always_.begin(), always_.end(), name_) != always_.end();
        if (ours) {
            ++removed_;
            held_.clear();
            name_.clear();
            space_ = false;
            state_ = line_before_ = State::Drop;
        } else if (name_ == kName) {
            name_.clear();
            space_ = false;
            state_ = line_before_ = State::Hold;
        } else {
            state_ = State::Pass;
            release(sink);
        }
        return;
    }
    // RFC 5322, 4.5: white space before the colon.
    if (!at_begin && (c == ' ' || c == '\t') && held_.size() < kMostSpace) {
        space_ = true;
        return;
    }
    name_ += text::to_lower(c);
    if (!space_ && (may_continue(name_) || name_ == "\r")) return;
    state_ = c == '\n' ? State::Name : State::Pass;
    release(sink);
}

void FieldFilter::feed(std::string_view bytes, const Sink& sink) {
    while (!bytes.empty()) {
        if (state_ == State::Body) {
            sink(bytes);
            return;
        }
        if (state_ == State::Name) {
            take_name(bytes.front(), bytes, sink);
            continue;
        }
        if (state_ == State::Pass) {
            // As many lines as are none of ours, in one piece.
            std::size_t at = 0;
            for (;;) {
                const auto end = bytes.find('\n', at);
                if (end == std::string_view::npos) {
                    at = bytes.size();
                    break;
                }
                at = end + 1;
                if (at == bytes.size() || bytes[at] == '\r' || bytes[at] == '\n' ||
                    may_continue(std::string(1, text::to_lower(bytes[at])))) {
                    state_ = State::Name;
                    break;
                }
            }
            sink(bytes.substr(0, at));
            bytes.remove_prefix(at);
            continue;
        }
        const auto end = bytes.find('\n');
        const auto line = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
        if (state_ == State::Hold) {
            held_ += line;
            if (held_.size() > kMostHeld) {
                // Nobody writes such a field in earnest, and nobody is to read it as ours.
                ++removed_;
                held_.clear();
                state_ = line_before_ = State::Drop;
            }
        }
        bytes.remove_prefix(line.size());
        if (end != std::string_view::npos) state_ = State::Name;
    }
}

void FieldFilter::finish(const Sink& sink) {
    if (line_before_ == State::Hold) end_held(sink);
    release(sink);
}

}  // namespace gk::mailauth::authres
