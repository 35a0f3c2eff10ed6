// SPDX-License-Identifier: MIT
// links: mailauth
#include <cstdlib>

#include "common/mailauth/arc/trust.hpp"
#include "common/mailauth/arc/validate.hpp"
#include "common/mailauth/dns_table.hpp"

// A whole message: its verdict must not depend on how it is split, and a chain that passes is whole.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::mailauth;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    static DnsTable dns = *DnsTable::parse(
        "s._domainkey.a.test TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n");
    const auto chain_of = [&](std::size_t step) {
        arc::Validator validator(1'790'000'000, {.header_octets = 64 * 1024});
        for (std::size_t at = 0; at < bytes.size(); at += step) validator.feed(bytes.substr(at, step));
        return validator.finish(dns);
    };
    const auto chain = chain_of(size + 1), split = chain_of(1 + size % 13);
    if (chain.status != split.status || chain.reason != split.reason) std::abort();
    if (chain.links.size() > arc::kMostSets || chain.oldest_pass > chain.links.size()) std::abort();
    if (chain.status == arc::Status::Pass && chain.links.empty()) std::abort();
    if (chain.status != arc::Status::None && chain.reason.empty()) std::abort();
    (void)arc::trusted_pass(chain, {"a.test"}, "a.test");
    (void)arc::parse_results_field(bytes);
    return 0;
}
