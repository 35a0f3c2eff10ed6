// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "common/mailauth/dmarc/evaluate.hpp"
#include "common/mailauth/dns_table.hpp"

namespace gk::mailauth::dmarc {

// A message's facts, built in words: from("a.test").spf("b.test").dkim("a.test").
struct Case {
    Facts facts;
    Options options;

    Case& spf(std::string_view domain, spf::Verdict verdict = spf::Verdict::Pass) {
        facts.spf = {verdict, std::string(domain)};
        return *this;
    }
    Case& dkim(std::string_view domain, dkim::Verdict verdict = dkim::Verdict::Pass) {
        facts.dkim.push_back({verdict, std::string(domain), "s1"});
        return *this;
    }
};

inline std::string lines(std::initializer_list<std::string_view> texts) {
    std::string out;
    for (const auto text : texts) out.append(text);
    return out;
}

inline Case header_case(std::string_view header) {
    Case c;
    c.facts.authors = find_authors(header);
    return c;
}

inline Case from(std::string_view domain) { return header_case("From: ann@" + std::string(domain) + "\r\n"); }

inline Evaluation judge(std::string_view zone, const Case& c) {
    auto dns = DnsTable::parse(zone).value();
    return evaluate(c.facts, dns, c.options);
}

}  // namespace gk::mailauth::dmarc
