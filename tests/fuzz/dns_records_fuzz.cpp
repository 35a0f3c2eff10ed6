// SPDX-License-Identifier: MIT
// links: dns
#include <cstdlib>

#include "common/dns/resolver.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::dns;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto mx = parse_mx(bytes); mx && mx->host.size() > 4096) std::abort();
    (void)parse_txt(bytes);
    (void)parse_tlsa(bytes);
    (void)reverse_name(bytes);
    for (const auto type : {Type::A, Type::Ns, Type::Cname, Type::Soa, Type::Ptr, Type::Mx, Type::Txt, Type::Aaaa,
                            Type::Srv, Type::Ds, Type::Dnskey, Type::Tlsa, Type::Caa})
        if (const auto written = format_rdata(type, bytes); written && written->size() > 4 * size + 64) std::abort();
    std::size_t offset = 0;
    (void)parse_name(bytes, offset);
    return 0;
}
