// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dns_source.hpp"
#include "common/mailauth/ip.hpp"
#include "common/mailauth/spf/record.hpp"

namespace gk::dnscheck {

// An SPF record as its terms, to be mended without losing what is right in it.
struct SpfTerms {
    std::vector<std::string> terms;  // behind v=spf1, as written

    static SpfTerms split(std::string_view record);
    std::string text() const;

    bool move_all_to_end();  // true where directives stood behind it
    bool drop(mailauth::spf::Mechanism mechanism);
    void drop_second_modifiers();
    void set_all(std::string_view all);   // in place of the one that is there; else at the end
    void permit(const mailauth::Ip& ip);  // in front of all else
    // Terms of our own whose names do not exist.
    void drop_void(const std::string& domain, mailauth::DnsSource& dns);
    // Puts the addresses in place of the include that costs most lookups; false where none can be.
    bool flatten_dearest(mailauth::DnsSource& dns);

    // The domain of include: or redirect=, without macros; empty for other terms.
    static std::string policy_target(std::string_view term);
};

// DNS with another policy at one name.
class WithPolicy : public mailauth::DnsSource {
public:
    WithPolicy(mailauth::DnsSource& dns, std::string name, std::string record)
        : dns_(dns), name_(std::move(name)), record_(std::move(record)) {}
    mailauth::Lookup<std::string> txt(std::string_view name) override;
    mailauth::Lookup<std::string> a(std::string_view name) override { return dns_.a(name); }
    mailauth::Lookup<std::string> aaaa(std::string_view name) override { return dns_.aaaa(name); }
    mailauth::Lookup<dns::Mx> mx(std::string_view name) override { return dns_.mx(name); }
    mailauth::Lookup<std::string> ptr(std::string_view ip) override { return dns_.ptr(ip); }

private:
    mailauth::DnsSource& dns_;
    const std::string name_, record_;
};

}  // namespace gk::dnscheck
