// SPDX-License-Identifier: MIT
// links: dnscheck
#include <cstdlib>

#include "common/dnscheck/check.hpp"
#include "common/dnscheck/update.hpp"

// A file of DNS answers, whatever stands in it, judged to the end; then what is proposed, written out.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::dnscheck;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    (void)parse_update_key(text);
    (void)parse_server(text);
    for (const auto type :
         {gk::dns::Type::A, gk::dns::Type::Aaaa, gk::dns::Type::Ns, gk::dns::Type::Mx, gk::dns::Type::Soa,
          gk::dns::Type::Srv, gk::dns::Type::Caa, gk::dns::Type::Ds, gk::dns::Type::Dnskey, gk::dns::Type::Tlsa}) {
        const auto once = canonical_data(type, text);
        if (once && canonical_data(type, *once).value_or("") != *once) std::abort();
        (void)key_tag(text);
    }
    const auto table = gk::mailauth::DnsTable::parse(text);
    if (!table) return 0;
    TableSource source(*table);
    Lookups dns(source, {.questions = 300, .time = std::chrono::seconds(2)});
    Ours ours;
    ours.host = "mx.a.test";
    ours.ips = {"192.0.2.1"};
    ours.ips_said = true;
    Report report;
    check_host(ours, dns, report);
    check_domain("a.test", size % 2 == 0 ? Mail::Expected : Mail::None, ours, dns, report);
    for (const auto& zone : by_zone(report.changes(), dns)) {
        const std::string script = update_script(zone, "192.0.2.53", 53, nullptr);
        std::size_t lines = 0;
        for (const char c : script) lines += c == '\n';
        if (lines > zone.changes.size() + 4) std::abort();  // nothing in DNS adds a line of its own
    }
    return 0;
}
