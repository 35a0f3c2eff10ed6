// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <set>

#include "common/base/result.hpp"
#include "common/mailauth/dns_source.hpp"

namespace gk::mailauth {

// Answers from a text: for tests, and for questions about DNS that is not there yet. One record a line,
//   NAME TYPE VALUE     # a comment line begins so; TYPE is one that dns::type_named knows
//   a.test        TXT  v=spf1 mx -all
//   a.test        MX   10 mail.a.test
//   mail.a.test   A    192.0.2.1
//   192.0.2.1     PTR  mail.a.test
//   gone.a.test   TXT  TEMPFAIL
// A value in double quotes may hold \" \\ and \xNN; several of them are joined, as the strings of a TXT record are.
// TEMPFAIL in place of a value, or of type and value (then for every type), makes the lookup fail for now. What is not
// listed does not exist. "a.test SECURE" says that what is at or below that name is validated by DNSSEC, "a.test BOGUS"
// that validation fails. Reading is safe from many threads once it is filled.
class DnsTable : public DnsSource {
public:
    static Result<DnsTable> parse(std::string_view text);
    Status add_line(std::string_view line);

    void add(std::string_view name, std::string_view type, std::string value);
    void add_failure(std::string_view name, std::string_view type);  // TYPE "*": every one

    Lookup<std::string> txt(std::string_view name) override { return find(name, "TXT"); }
    Lookup<std::string> a(std::string_view name) override { return find(name, "A"); }
    Lookup<std::string> aaaa(std::string_view name) override { return find(name, "AAAA"); }
    Lookup<dns::Mx> mx(std::string_view name) override;
    Lookup<std::string> ptr(std::string_view ip) override;

    // Values as they are written, aliases followed.
    Lookup<std::string> find(std::string_view name, std::string_view type) const;
    Lookup<std::string> find_alias(std::string_view name) const;  // CNAME of that name itself
    std::string canonical(std::string_view name) const;           // where aliases lead
    bool is_bogus(std::string_view name) const noexcept { return is_marked(name, bogus_); }

private:
    using Key = std::pair<std::string, std::string>;  // name in lower case, type
    Lookup<std::string> at(const std::string& key, const std::string& type) const;
    static bool is_marked(std::string_view name, const std::set<std::string>& zones) noexcept;
    void add_name(std::string_view name);
    std::map<Key, std::vector<std::string>> records_;
    std::set<std::string, std::less<>> names_;  // that exist: those listed, and all above them
    std::set<Key> failures_;
    std::set<std::string> secure_, bogus_;
};

}  // namespace gk::mailauth
