// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/dns/resolver.hpp"

namespace gk::testing {

// DNS out of a table. Every zone is signed but those in `unsigned_names`; names in `broken` fail, those in `bogus`
// fail validation.
class FakeDns final : public dns::Source {
public:
    std::map<std::string, std::vector<dns::Mx>> mx_records;
    std::map<std::string, std::vector<std::string>> a_records, txt_records;
    std::map<std::string, std::vector<dns::Tlsa>> tlsa_records;
    std::map<std::string, std::string> aliases;
    std::map<std::string, bool> unsigned_names, broken, bogus;
    bool bogus_aliases = false;
    int asked_tlsa = 0;

    Result<dns::Answer<dns::Mx>> mx(std::string_view name, Deadline) override { return answer(mx_records, name); }
    Result<dns::Answer<std::string>> a(std::string_view name, Deadline) override { return answer(a_records, name); }
    Result<dns::Answer<std::string>> aaaa(std::string_view name, Deadline) override {
        return answer(std::map<std::string, std::vector<std::string>>(), name);
    }
    Result<dns::Answer<std::string>> txt(std::string_view name, Deadline) override { return answer(txt_records, name); }
    Result<dns::Answer<dns::Tlsa>> tlsa(std::string_view name) override {
        ++asked_tlsa;
        return answer(tlsa_records, name);
    }
    Result<dns::Answer<std::string>> cname(std::string_view name) override {
        const auto alias = aliases.find(std::string(name));
        if (bogus_aliases) return fail(Errc::Temporary, "DNSSEC validation of an alias failed: no signatures");
        dns::Answer<std::string> found;
        found.security = is_signed(std::string(name));
        if (alias == aliases.end()) return found;
        found.existence = dns::Existence::Found;
        found.records = {alias->second};
        return found;
    }

private:
    dns::Security is_signed(const std::string& name) const {
        return unsigned_names.contains(name) ? dns::Security::Insecure : dns::Security::Secure;
    }
    template <class Record>
    Result<dns::Answer<Record>> answer(const std::map<std::string, std::vector<Record>>& table,
                                       std::string_view asked) {
        std::string name(asked);
        auto security = is_signed(name);
        if (const auto alias = aliases.find(name); alias != aliases.end()) {
            name = alias->second;
            if (is_signed(name) == dns::Security::Insecure) security = dns::Security::Insecure;
        }
        if (bogus.contains(name))
            return fail(Errc::Temporary, "DNSSEC validation of " + name + " failed: no signatures");
        if (broken.contains(name)) return fail(Errc::Temporary, "DNS servers failed for " + name + " (SERVFAIL)");
        dns::Answer<Record> found;
        found.security = security;
        found.canonical = name;
        if (const auto records = table.find(name); records != table.end()) {
            found.existence = dns::Existence::Found;
            found.records = records->second;
        }
        return found;
    }
};

}  // namespace gk::testing
