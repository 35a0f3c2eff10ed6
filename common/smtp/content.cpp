// SPDX-License-Identifier: MIT
#include "common/smtp/content.hpp"

#include "common/base/text.hpp"

namespace gk::smtp {

DataDecoder::Step DataDecoder::next(std::string_view& input) noexcept {
    const std::string_view all = input;
    std::size_t at = 0;
    // What was passed so far is content; the rest stays in INPUT.
    const auto step = [&](Event event, std::size_t content_end) -> Step {
        input = all.substr(at);
        if (event == Event::NeedMore && content_end > 0) event = Event::Content;
        return {event, all.substr(0, content_end)};
    };
    while (at < all.size()) {
        const char c = all[at];
        switch (state_) {
            case State::LineStart:
                if (c != '.') {
                    state_ = State::Line;
                    break;
                }
                if (at > 0) return step(Event::Content, at);  // the dot itself is not content
                state_ = State::Dot;
                input.remove_prefix(1);
                return next(input);
            case State::Dot:
                if (c == '\n') return step(Event::Bare, 0);
                if (c != '\r') {
                    state_ = State::Line;
                    break;
                }
                state_ = State::DotCr;
                input.remove_prefix(1);
                return next(input);
            case State::DotCr:
                if (c != '\n') return step(Event::Bare, 0);
                ++at;
                return step(Event::End, 0);
            case State::Line: {
                const auto cr = all.find('\r', at);
                if (all.substr(at, cr - at).find('\n') != std::string_view::npos) return step(Event::Bare, 0);
                if (cr == std::string_view::npos) {
                    at = all.size();
                    break;
                }
                at = cr + 1;
                state_ = State::LineCr;
                break;
            }
            case State::LineCr:
                if (c != '\n') return step(Event::Bare, 0);
                ++at;
                state_ = State::LineStart;
                break;
        }
    }
    return step(Event::NeedMore, at);
}

void LineEnds::feed(std::string_view bytes) noexcept {
    std::size_t at = 0;
    if (after_cr_ && !bytes.empty()) {
        if (bytes[0] != '\n') bare_ = true;
        at = 1;
        after_cr_ = false;
    }
    while (!bare_ && at < bytes.size()) {
        const auto cr = bytes.find('\r', at);
        if (bytes.substr(at, cr - at).find('\n') != std::string_view::npos) {
            bare_ = true;
        } else if (cr == std::string_view::npos) {
            return;
        } else if (cr + 1 == bytes.size()) {
            after_cr_ = true;
            return;
        } else if (bytes[cr + 1] != '\n') {
            bare_ = true;
        } else {
            at = cr + 2;
        }
    }
}

void HeaderWatch::end_name() {
    in_from_ = false;
    if (name_ == "received") {
        ++received_;
    } else if (name_ == "date") {
        date_ = true;
    } else if (name_ == "message-id") {
        message_id_ = true;
    } else if (name_ == "from") {
        if (from_.size() == kMostFromFields) {
            from_too_long_ = true;
        } else {
            from_.emplace_back();
            in_from_ = true;
        }
    }
    in_name_ = false;
}

void HeaderWatch::end_header_at_body() {
    begins_with_body_ = true;
    in_header_ = false;
}

void HeaderWatch::take_from(std::string_view bytes) {
    from_bytes_ += bytes.size();
    if (from_bytes_ > kMostFrom) from_too_long_ = true;
    else from_.back() += bytes;
}

void HeaderWatch::feed(std::string_view bytes) {
    while (in_header_ && !bytes.empty()) {
        if (!in_name_) {
            const auto end = bytes.find('\n');
            const auto part = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
            if (in_from_) take_from(part);
            if (first_line_ && !colon_seen_) colon_seen_ = part.find(':') != std::string_view::npos;
            if (end == std::string_view::npos) return;
            bytes.remove_prefix(end + 1);
            if (first_line_ && !colon_seen_) return end_header_at_body();
            first_line_ = false;
            in_name_ = true;
            name_.clear();
            continue;
        }
        const char c = bytes.front();
        bytes.remove_prefix(1);
        if (c == '\n') {
            // A line without a colon: the empty one ends the header; any other is not for us to judge.
            if (name_.empty()) in_header_ = false;
            else if (first_line_) end_header_at_body();
            first_line_ = in_from_ = false;
            name_.clear();
        } else if (c == ':') {
            colon_seen_ = true;
            end_name();
        } else if (c == ' ' || c == '\t') {
            // A continuation line, or the obsolete space before the colon (RFC 5322, 4.5).
            if (!name_.empty()) continue;
            if (first_line_) return end_header_at_body();
            in_name_ = false;
        } else if (c != '\r') {
            if (name_.size() < kLongestName) {
                name_ += text::to_lower(c);
            } else {
                in_name_ = in_from_ = false;
            }
        }
    }
}

}  // namespace gk::smtp
