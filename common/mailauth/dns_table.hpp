// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <set>

#include "common/base/result.hpp"
#include "common/mailauth/dns_source.hpp"

namespace gk::mailauth {

// Answers from a text: for tests, and for questions about DNS that is not there yet. One record a line,
//   NAME TXT|A|AAAA|MX|PTR|CNAME VALUE     # a comment line begins so
//   a.test        TXT  v=spf1 mx -all
//   a.test        MX   10 mail.a.test
//   mail.a.test   A    192.0.2.1
//   192.0.2.1     PTR  mail.a.test
//   gone.a.test   TXT  TEMPFAIL
// A value in double quotes may hold \" \\ and \xNN; several of them are joined, as the strings of a TXT record are.
// TEMPFAIL in place of a value, or of type and value (then for every type), makes the lookup fail for now. What is not
// listed does not exist. Reading is safe from many threads once it is filled.
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

private:
    using Key = std::pair<std::string, std::string>;  // name in lower case, type
    Lookup<std::string> find(std::string_view name, const std::string& type) const;
    void add_name(std::string_view name);
    std::map<Key, std::vector<std::string>> records_;
    std::set<std::string, std::less<>> names_;  // that exist: those listed, and all above them
    std::set<Key> failures_;
};

}  // namespace gk::mailauth
