// SPDX-License-Identifier: MIT
// links: mailauth
#include <cstdlib>

#include "common/mailauth/dns_table.hpp"
#include "common/mailauth/spf/check.hpp"
#include "common/mailauth/spf/macro.hpp"
#include "common/mailauth/spf/record.hpp"
#include "common/mailauth/spf/tree.hpp"

// The first line is the record of every domain, the second an explanation, the third a sender.
namespace {

class OneRecord : public gk::mailauth::DnsSource {
public:
    std::string record, explanation;
    unsigned asked = 0;
    gk::mailauth::Lookup<std::string> txt(std::string_view name) override {
        return answer(name.starts_with("exp.") ? explanation : record);
    }
    gk::mailauth::Lookup<std::string> a(std::string_view name) override {
        return answer(name.size() % 2 ? "192.0.2.1" : "192.0.2.2");
    }
    gk::mailauth::Lookup<std::string> aaaa(std::string_view) override { return answer("2001:db8::1"); }
    gk::mailauth::Lookup<gk::dns::Mx> mx(std::string_view) override {
        ++asked;
        return {gk::mailauth::Outcome::Found, {{10, "mx.a.test"}}, {}, false};
    }
    gk::mailauth::Lookup<std::string> ptr(std::string_view) override { return answer("host.a.test"); }

private:
    gk::mailauth::Lookup<std::string> answer(std::string value) {
        ++asked;
        return {gk::mailauth::Outcome::Found, {std::move(value)}, {}, false};
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::mailauth;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const auto take_line = [&rest] {
        const auto end = std::min(rest.find('\n'), rest.size());
        const auto line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        return std::string(line);
    };
    OneRecord dns;
    dns.record = take_line();
    dns.explanation = take_line();
    if (!spf::is_record(dns.record)) dns.record = "v=spf1 " + dns.record;
    const std::string sender = take_line();
    const spf::Facts facts{.ip = *Ip::parse("192.0.2.1"), .helo = sender, .mail_from = sender + "@a.test"};
    const auto checked = spf::check_mail_from(facts, dns);
    // Ten terms, each with at most ten mail exchangers or names, one explanation.
    if (checked.lookups > 11 || dns.asked > 130) std::abort();
    for (const char c : checked.explanation)
        if (c < 0x20 || c > 0x7e) std::abort();
    dns.asked = 0;
    if (spf::show("a.test", dns).lines.size() > 2000) std::abort();
    (void)spf::check_macro_string(sender, spf::Where::Explanation);
    (void)DnsTable::parse(std::string_view(reinterpret_cast<const char*>(data), size));
    return 0;
}
