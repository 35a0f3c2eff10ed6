// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/smtp/body.hpp"

namespace gk::submit {

// A message as a program writes it, taken apart while it comes: lines that end with LF, CRLF or CR become CRLF, the
// header is kept, the rest goes to memory and, past a limit, to an unnamed file. It may come over hours (cron).
class Draft {
public:
    struct Options {
        bool dot_ends = true;        // a line with a dot alone ends the message
        std::uint64_t max_size = 0;  // bytes; 0: any
        std::string directory;       // of the unnamed file
    };
    explicit Draft(Options options);

    // BadInput where it is too large, or its header is.
    Status feed(std::string_view bytes);
    Status finish();  // at the end of the input
    bool ended() const noexcept { return ended_; }

    const std::string& header() const noexcept { return header_; }  // with CRLF, without the empty line
    const smtp::MessageBody& body() const noexcept { return body_; }
    bool eight_bit() const noexcept { return eight_bit_; }

private:
    Status end_line();
    Status put(std::string_view bytes);

    Options options_;
    smtp::MemoryBudget budget_;
    smtp::MessageBody body_;
    std::string line_, header_, out_;
    std::uint64_t size_ = 0;
    bool in_header_ = true, first_ = true, after_cr_ = false, line_begun_ = false, ended_ = false, eight_bit_ = false;
};

}  // namespace gk::submit
