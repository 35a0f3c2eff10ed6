// SPDX-License-Identifier: MIT
// links: mailauth
#include <cstdlib>

#include "common/mailauth/dkim/verify.hpp"
#include "common/mailauth/dns_table.hpp"

// A whole message: its verdicts must not depend on how it is split, and its signatures must read back as what they are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::mailauth;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    static DnsTable dns = *DnsTable::parse(
        "s._domainkey.a.test TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n");
    const auto verdicts = [&](std::size_t step) {
        dkim::Verifier verifier(1'790'000'000, {.header_octets = 16 * 1024});
        for (std::size_t at = 0; at < bytes.size(); at += step) verifier.feed(bytes.substr(at, step));
        std::string out;
        for (const auto& verified : verifier.finish(dns))
            out += std::string(dkim::verdict_name(verified.verdict)) + verified.reason + '\n';
        return out;
    };
    if (verdicts(size + 1) != verdicts(1 + size % 13)) std::abort();
    const auto signature = dkim::parse_signature(bytes);
    if (signature && (signature->domain.empty() || signature->selector.empty() || signature->headers.empty()))
        std::abort();
    if (dkim::without_signature(bytes).size() > size + 2) std::abort();
    return 0;
}
