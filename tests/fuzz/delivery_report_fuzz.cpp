// SPDX-License-Identifier: MIT
// links: message
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/base/text.hpp"
#include "common/message/delivery_report.hpp"

namespace {

void check(const std::string& value) {
    if (value.size() > 1000 || !gk::text::is_utf8(value)) std::abort();
    for (const char c : value)
        if ((c >= 0 && c < ' ') || c == 0x7F) std::abort();
}

}  // namespace

// Whatever strangers write, what is read of it is short, printable UTF-8.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto report = gk::message::parse_delivery_report({reinterpret_cast<const char*>(data), size});
    if (!report) return 0;
    if (report->recipients.size() > gk::message::kMostReported) std::abort();
    check(report->envelope_id);
    check(report->reporting_mta);
    check(report->message_id);
    for (const auto& recipient : report->recipients)
        for (const auto* value :
             {&recipient.original, &recipient.final, &recipient.action, &recipient.status, &recipient.diagnostic})
            check(*value);
    return 0;
}
