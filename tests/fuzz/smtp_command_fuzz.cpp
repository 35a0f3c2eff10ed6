// SPDX-License-Identifier: MIT
// links: smtp
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/smtp/command.hpp"

namespace {

// A path that was understood is understood the same when it is written and read again.
void check(const gk::smtp::Path& path) {
    if (path.is_null()) return;
    const auto again = gk::smtp::parse_path("<" + path.to_string() + ">");
    if (!again || again->local_part != path.local_part || again->domain != path.domain) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view line(reinterpret_cast<const char*>(bytes), size);
    for (const bool lmtp : {false, true}) {
        const auto command = gk::smtp::parse_command(line, {.lmtp = lmtp});
        if (!command) {
            if (command.error().code < 500 || command.error().text.find('\n') != std::string::npos) std::abort();
            continue;
        }
        if (const auto* mail = std::get_if<gk::smtp::Mail>(&*command)) check(mail->path);
        if (const auto* rcpt = std::get_if<gk::smtp::Rcpt>(&*command)) check(rcpt->path);
    }
    return 0;
}
