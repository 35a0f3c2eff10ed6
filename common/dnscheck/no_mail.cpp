// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/dnscheck/context.hpp"
#include "common/mailauth/dmarc/record.hpp"
#include "common/mailauth/spf/record.hpp"

namespace gk::dnscheck {

using dns::Type;

// A domain that neither sends nor receives: RFC 7505, and RFC 7208, 10.1.2.
void check_no_mail(const Context& c) {
    const std::string null = "0 .", nobody = "v=spf1 -all", reject = "v=DMARC1; p=reject";
    if (const Answer* mx = c.ask(c.subject, Type::Mx);
        mx != nullptr && (mx->data.size() != 1 || !mx->data[0].ends_with(" .")))
        c.found("no-mail-mx", c.subject, mx->found() ? listed(mx->data) : "no MX record", null,
                replace(c.subject, Type::Mx, mx->data, null));
    if (const Answer* txt = c.ask(c.subject, Type::Txt); txt != nullptr) {
        std::vector<std::string> records;
        for (const auto& each : txt->data)
            if (mailauth::spf::is_record(each)) records.push_back(each);
        if (records.size() != 1 || text::lower(text::trim(records[0])) != nobody)
            c.found("no-mail-spf", c.subject, records.empty() ? "no SPF record" : listed(records), nobody,
                    replace(c.subject, Type::Txt, records, nobody));
    }
    const std::string name = "_dmarc." + c.subject;
    if (const Answer* txt = c.ask(name, Type::Txt); txt != nullptr) {
        std::vector<std::string> records;
        for (const auto& each : txt->data)
            if (mailauth::dmarc::is_record(each)) records.push_back(each);
        if (records.size() != 1 ||
            mailauth::dmarc::parse_record(records[0]).for_domain() != mailauth::dmarc::Policy::Reject)
            c.found("no-mail-dmarc", name, records.empty() ? "no DMARC record" : listed(records), reject,
                    replace(name, Type::Txt, records, reject));
    }
}

}  // namespace gk::dnscheck
