// SPDX-License-Identifier: MIT
// links: mailauth
#include <cstdlib>

#include "common/mailauth/dmarc/authors.hpp"

// A header block: whom it says it is from.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::mailauth::dmarc;
    const std::string_view header(reinterpret_cast<const char*>(data), size);
    const Authors authors = find_authors(header);
    if (authors.domains.size() > kMaxAuthorDomains || authors.malformed.size() > 5) std::abort();
    if (authors.fields == 0 && (authors.addresses != 0 || !authors.malformed.empty())) std::abort();
    for (const auto& domain : authors.domains)
        if (domain.empty() || author_domain(domain) != domain) std::abort();
    for (const auto& each : authors.malformed)
        for (const char c : each)
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) std::abort();
    return 0;
}
