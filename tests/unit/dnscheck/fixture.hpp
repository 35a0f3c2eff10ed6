// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/dnscheck/check.hpp"

namespace gk::dnscheck {

// DNS as lines of DnsTable, our side, and what the checks make of both.
struct Bed {
    mailauth::DnsTable table;
    Ours ours;
    Report report;
    unsigned questions = 0;

    explicit Bed(std::string_view zone) : table(mailauth::DnsTable::parse(zone).value()) {
        ours.host = "mx.a.test";
        ours.ips = {"192.0.2.1"};
        ours.ips_said = true;
        ours.now_s = 1'700'000'000;
    }

    Bed& check(const std::string& domain = "a.test", Mail mail = Mail::Expected) {
        TableSource source(table);
        Lookups dns(source);
        report = {};
        check_host(ours, dns, report);
        check_domain(domain, mail, ours, dns, report);
        questions = dns.questions();
        return *this;
    }
    std::vector<std::string> ids(Severity least = Severity::Warning) const {
        std::vector<std::string> out;
        for (const auto& each : report.findings)
            if (each.kind->severity >= least) out.emplace_back(each.kind->id);
        return out;
    }
    const Finding* find(std::string_view id) const {
        for (const auto& each : report.findings)
            if (each.kind->id == id) return &each;
        return nullptr;
    }
    // The record that a finding wants to add; empty for none.
    std::string wanted(std::string_view id) const {
        const Finding* finding = find(id);
        if (!finding) return "no such finding";
        for (const auto& change : finding->changes)
            if (change.op == Change::Op::Add) return change.record.data;
        return {};
    }
};

inline const std::string kHost = "mx.a.test A 192.0.2.1\nmx.a.test TXT v=spf1 a -all\n192.0.2.1 PTR mx.a.test.\n";
inline const std::string kServices =
    "_submission._tcp.a.test SRV 0 1 587 mx.a.test.\n_submissions._tcp.a.test SRV 0 1 465 mx.a.test.\n"
    "_imap._tcp.a.test SRV 0 1 143 mx.a.test.\n_imaps._tcp.a.test SRV 0 1 993 mx.a.test.\n"
    "_pop3._tcp.a.test SRV 0 0 0 .\n_pop3s._tcp.a.test SRV 0 0 0 .\n"
    "_smtp._tls.a.test TXT v=TLSRPTv1; rua=mailto:postmaster@a.test\n";
inline const std::string kDmarc = "_dmarc.a.test TXT v=DMARC1; p=quarantine; rua=mailto:postmaster@a.test\n";
inline const std::string kMail = "a.test MX 10 mx.a.test.\n";
inline const std::string kSpf = "a.test TXT v=spf1 mx -all\n";
// Everything but what is under test.
inline const std::string kWithoutSpf = kHost + kServices + kDmarc + kMail;
inline const std::string kWithoutMx = kHost + kServices + kDmarc + kSpf;
inline const std::string kHealthy = kWithoutSpf + kSpf;

}  // namespace gk::dnscheck
