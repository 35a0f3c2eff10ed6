// SPDX-License-Identifier: MIT
#include "common/os/input.hpp"

#include <unistd.h>
#include <cerrno>

namespace gk::os {

Status read_input(const std::string& file, const std::function<void(std::string_view)>& sink) {
    if (file != "-") {
        GK_TRY(const MappedFile mapped, MappedFile::open(file));
        sink(mapped.bytes());
        return ok();
    }
    std::string buffer(64 * 1024, '\0');
    for (;;) {
        const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("cannot read standard input");
        if (n == 0) return ok();
        sink(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)));
    }
}

Result<Input> Input::open(const std::string& file) {
    Input input;
    if (file == "-") {
        GK_CHECK(read_input(file, [&](std::string_view bytes) { input.own_ += bytes; }));
    } else {
        GK_TRY(input.mapped_, MappedFile::open(file));
    }
    return input;
}

}  // namespace gk::os
