// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/os/file.hpp"

namespace gk::os {

// What a filter reads: a file, mapped, or standard input ("-"), which is kept in memory.
class Input {
public:
    static Result<Input> open(const std::string& file);
    std::string_view bytes() const noexcept { return own_.empty() ? mapped_.bytes() : std::string_view(own_); }

private:
    MappedFile mapped_;
    std::string own_;
};

// The same in pieces, of which only one is in memory.
Status read_input(const std::string& file, const std::function<void(std::string_view)>& sink);

}  // namespace gk::os
