// SPDX-License-Identifier: MIT
// links: srs
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/srs/srs.hpp"

// Nothing that we did not make is restored; what we make of any sender, we can restore.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk;
    const std::string in(reinterpret_cast<const char*>(data), size);
    const std::vector<std::string> secrets = {std::string(32, 'k')};
    const TimePoint now = from_unix_s(1'800'000'000);
    (void)srs::restore(in, secrets, 86400, now);
    (void)srs::parse_secrets(in);
    const std::string rewritten = srs::rewrite(in, "a.test", secrets[0], now);
    const auto at = in.rfind('@');
    if (at == 0 || at == std::string::npos || at + 1 == in.size() || in.find('=', at) != std::string::npos) return 0;
    if (rewritten.starts_with("SRS0=") && !srs::restore(rewritten.substr(0, rewritten.rfind('@')), secrets, 86400, now))
        std::abort();
    return 0;
}
