// SPDX-License-Identifier: MIT
// links: policy
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/policy/policy.hpp"

// What is read back from the gate's files is written as it was; answers of DNS lists never count past their scores.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::policy;
    const std::string in(reinterpret_cast<const char*>(data), size);
    if (const auto line = parse_line(in)) {
        const auto again = parse_line(format_line(*line));
        if (!again || format_line(*again) != format_line(*line)) std::abort();
    }
    if (const auto entries = parse_lists(in)) {
        const auto again = parse_lists(format_lists(*entries));
        if (!again || format_lists(*again) != format_lists(*entries)) std::abort();
        (void)Lists(*entries).find("192.0.2.1", in, in, 1);
    }
    const auto list = DnsList::parse("bl.test", "127.0.0.2=3 1").value();
    if (const auto verdict = judge_answer(list, {in}); verdict && verdict->score > 3) std::abort();
    (void)DnsList::parse("bl.test", in);
    (void)question_for(in, "bl.test");
    (void)network_of(in);
    return 0;
}
