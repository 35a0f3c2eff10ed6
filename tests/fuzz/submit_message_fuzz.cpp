// SPDX-License-Identifier: MIT
// links: submit
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/base/text.hpp"
#include "common/message/header.hpp"
#include "common/smtp/command.hpp"
#include "common/submit/draft.hpp"
#include "common/submit/header.hpp"

namespace {

using namespace gk;

void check_lines(std::string_view bytes) {
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        if (bytes[at] == '\n' && (at == 0 || bytes[at - 1] != '\r')) std::abort();
        if (bytes[at] == '\r' && (at + 1 == bytes.size() || bytes[at + 1] != '\n')) std::abort();
    }
}

}  // namespace

// Whatever a program writes: what goes to gk-smtpd has whole lines, no Bcc, and recipients that end where they should.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view message(reinterpret_cast<const char*>(bytes), size);
    submit::Draft draft({true, 0, "/tmp"});
    const auto half = message.size() / 2;
    if (!draft.feed(message.substr(0, half)) || !draft.feed(message.substr(half)) || !draft.finish()) return 0;
    check_lines(draft.header());
    check_lines(draft.body().memory());
    const auto prepared = submit::prepare_header(draft.header(), {"ann@a.test", "Ann", "a.test"}, "ID", {});
    check_lines(prepared.header);
    if (message::find_field(prepared.header, "Bcc") || !message::find_field(prepared.header, "From")) std::abort();
    if (message::header_length(prepared.header + "\r\n") != prepared.header.size() + 2) std::abort();
    for (const auto& recipient : prepared.recipients) {
        const auto address = submit::qualify(recipient, "a.test");
        if (!address) continue;
        for (const char c : *address)
            if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) std::abort();
        const auto path = smtp::parse_path("<" + *address + ">");
        if (!path || path->domain.empty()) std::abort();
    }
    return 0;
}
