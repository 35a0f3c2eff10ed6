// SPDX-License-Identifier: MIT
#include "common/submit/draft.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/base/text.hpp"
#include "common/submit/header.hpp"

namespace gk::submit {
namespace {

constexpr std::size_t kMemory = 1 << 20;     // of a body
constexpr std::size_t kMaxHeader = 1 << 20;  // what gk-queue reads of one to sign it
constexpr std::size_t kPiece = 64 * 1024;    // of a line without end, and of what is written at once

}  // namespace

Draft::Draft(Options options)
    : options_(std::move(options)), budget_(kMemory), body_(budget_, kMemory, options_.directory) {}

Status Draft::put(std::string_view bytes) {
    size_ += bytes.size();
    if (options_.max_size != 0 && size_ > options_.max_size)
        return fail(Errc::BadInput, fmt::format("the message is larger than {}", text::format_size(options_.max_size)));
    if (in_header_) {
        header_ += bytes;
        if (header_.size() > kMaxHeader)
            return fail(Errc::BadInput, fmt::format("the header is larger than {}", text::format_size(kMaxHeader)));
        return ok();
    }
    out_ += bytes;
    if (out_.size() < kPiece) return ok();
    GK_CHECK(body_.write(out_));
    out_.clear();
    return ok();
}

// LINE_ is a whole line, or the end of one whose begin is put already.
Status Draft::end_line() {
    const bool whole = !line_begun_;
    line_begun_ = false;
    if (whole && options_.dot_ends && line_ == ".") {
        ended_ = true;
        return ok();
    }
    if (in_header_ && whole) {
        if (line_.empty() && !first_) {
            in_header_ = false;
            line_.clear();
            return ok();  // the empty line is put between header and body when they are joined
        }
        if (!is_header_line(line_, first_)) {
            in_header_ = false;  // no header, or one that ends without an empty line: all from here on is body
            if (first_ && line_.empty()) {
                first_ = false;
                return ok();
            }
        }
        first_ = false;
    }
    line_ += "\r\n";
    const Status done = put(line_);
    line_.clear();
    return done;
}

Status Draft::feed(std::string_view bytes) {
    if (!eight_bit_) eight_bit_ = !text::is_ascii(bytes);
    while (!bytes.empty() && !ended_) {
        if (after_cr_) {
            if (bytes[0] == '\r') {  // CR CR LF ends one line
                bytes.remove_prefix(1);
                continue;
            }
            after_cr_ = false;
            GK_CHECK(end_line());
            if (bytes[0] == '\n') bytes.remove_prefix(1);
            continue;
        }
        const auto end = bytes.find_first_of("\r\n");
        line_ += bytes.substr(0, end);
        if (line_.size() > kPiece) {
            if (in_header_ && !line_begun_ && !is_header_line(line_, first_)) in_header_ = false;
            first_ = false;
            line_begun_ = true;
            GK_CHECK(put(line_));
            line_.clear();
        }
        if (end == std::string_view::npos) return ok();
        after_cr_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        if (!after_cr_) GK_CHECK(end_line());
    }
    return ok();
}

Status Draft::finish() {
    if (!ended_ && (after_cr_ || !line_.empty() || line_begun_)) GK_CHECK(end_line());
    ended_ = true;
    if (!out_.empty()) GK_CHECK(body_.write(out_));
    out_.clear();
    return ok();
}

}  // namespace gk::submit
