// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

// DNS by libunbound, which validates DNSSEC where a trust anchor is given. /etc/hosts is never read: mail is
// routed by DNS or by configured routes.
namespace gk::dns {

enum class Security { Insecure, Secure };  // a bogus answer is an error (Temporary)

enum class Existence { Found, NoData, NoDomain };  // NoData: the name is there, records of this type are not

template <class Record>
struct Answer {
    Existence existence = Existence::NoDomain;
    Security security = Security::Insecure;
    std::vector<Record> records;  // empty unless Found
    std::uint32_t ttl_s = 0;
    std::string canonical = {};  // where aliases led; the name itself where there are none
};

struct Mx {
    std::uint16_t preference = 0;
    std::string host;  // lower case, without the dot at the end; empty for the root
};
struct Tlsa {
    std::uint8_t usage = 0, selector = 0, matching = 0;
    std::string data;  // raw bytes
};

// Record types by their numbers, for those who look at DNS itself.
enum class Type : std::uint16_t {
    A = 1,
    Ns = 2,
    Cname = 5,
    Soa = 6,
    Ptr = 12,
    Mx = 15,
    Txt = 16,
    Aaaa = 28,
    Srv = 33,
    Ds = 43,
    Dnskey = 48,
    Tlsa = 52,
    Caa = 257,
};
std::string_view type_name(Type type) noexcept;  // "AAAA"
std::optional<Type> type_named(std::string_view name) noexcept;

// An answer as it came, for who judges DNS rather than uses it: bogus data is shown and called so.
struct RawAnswer {
    Existence existence = Existence::NoDomain;
    Security security = Security::Insecure;
    bool bogus = false;  // DNSSEC validation failed
    std::string why_bogus;
    std::string canonical;  // where aliases led; the name itself where there are none
    std::vector<std::string> rdata;
    std::uint32_t ttl_s = 0;
};

struct Options {
    // Servers as "192.0.2.1", "192.0.2.1@5353", "192.0.2.1:5353" or "[2001:db8::1]:53". Empty: those of
    // /etc/resolv.conf. The one word "recursive": ask the root servers ourselves.
    std::vector<std::string> servers;
    // zone -> servers (blanks between) that are asked for it and what is below.
    std::map<std::string, std::string> stubs;
    std::string trust_anchor_file;              // DS or DNSKEY records; empty: nothing is validated
    std::chrono::milliseconds timeout{20'000};  // of one lookup, from question to answer
    unsigned max_in_flight = 256;               // more wait, within their own timeout
    // Answers kept for a minute at most, within their TTL, for who asks the same a hundred times a second: a question
    // to libunbound costs two changes of threads even where it knows the answer. 0: none.
    std::size_t keep_answers = 0;
};

// What sending mail asks; a test answers in DNS's place. Any number of threads may ask at once. Errors of a lookup:
// Temporary or Timeout (no answer, SERVFAIL, bogus), BadInput (not a domain name: U-labels must be A-labels here).
// That a name does not exist is an answer.
class Source {
public:
    // Until when a lookup may take, where that is before the timeout of all lookups.
    using Deadline = std::chrono::steady_clock::time_point;

    virtual ~Source() = default;
    // Sorted by preference.
    virtual Result<Answer<Mx>> mx(std::string_view name, Deadline latest = Deadline::max()) = 0;
    // "192.0.2.1"
    virtual Result<Answer<std::string>> a(std::string_view name, Deadline latest = Deadline::max()) = 0;
    virtual Result<Answer<std::string>> aaaa(std::string_view name, Deadline latest = Deadline::max()) = 0;
    // The strings of each record joined.
    virtual Result<Answer<std::string>> txt(std::string_view name, Deadline latest = Deadline::max()) = 0;
    // "_25._tcp.mx.a.test"
    virtual Result<Answer<Tlsa>> tlsa(std::string_view name) = 0;
    // The record at NAME itself.
    virtual Result<Answer<std::string>> cname(std::string_view name) = 0;
};

class Resolver final : public Source {
public:
    static Result<std::unique_ptr<Resolver>> create(const Options& options);
    ~Resolver() override;

    Result<Answer<Mx>> mx(std::string_view name, Deadline latest = Deadline::max()) override;
    Result<Answer<std::string>> a(std::string_view name, Deadline latest = Deadline::max()) override;
    Result<Answer<std::string>> aaaa(std::string_view name, Deadline latest = Deadline::max()) override;
    Result<Answer<std::string>> txt(std::string_view name, Deadline latest = Deadline::max()) override;
    Result<Answer<std::string>> ptr(std::string_view ip,
                                    Deadline latest = Deadline::max());  // names, for an IPv4 or IPv6 literal
    Result<Answer<Tlsa>> tlsa(std::string_view name) override;
    Result<Answer<std::string>> cname(std::string_view name) override;
    // No error where the answer is bogus. For Cname the alias itself; for other types it is followed.
    Result<RawAnswer> query(std::string_view name, Type type);

private:
    struct Impl;
    explicit Resolver(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// A lookup failed because the answer does not hold what DNSSEC promises, and not because there was none.
bool is_bogus(const Error& error) noexcept;

// Where the mail of a domain goes (RFC 5321, 5.1).
struct MailHosts {
    std::vector<Mx> hosts;   // by preference; equal ones shuffled
    bool null_mx = false;    // RFC 7505: accepts no mail, hosts is empty
    bool no_domain = false;  // the domain does not exist, hosts is empty
    bool implicit = false;   // no MX records: the domain itself
    Security security = Security::Insecure;
};
Result<MailHosts> find_mail_hosts(Source& source, std::string_view domain);

struct Addresses {
    std::vector<std::string> ips;            // IPv6 first
    Security security = Security::Insecure;  // Secure where all of it is
    bool no_domain = false;
    std::string canonical = {};  // where CNAMEs led; empty where there were none
};
// Both families. An error only where nothing was found and one of the lookups failed.
Result<Addresses> find_addresses(Source& source, std::string_view host, bool want_ipv6 = true);

// An RDATA name without compression, as lower-case text; hostile bytes escaped (RFC 1035, 5.1). Nothing when it is
// malformed. OFFSET moves behind it.
Result<std::string> parse_name(std::string_view rdata, std::size_t& offset);
Result<Mx> parse_mx(std::string_view rdata);
Result<std::string> parse_txt(std::string_view rdata);
Result<Tlsa> parse_tlsa(std::string_view rdata);
// RDATA as it is written in a zone file: "10 mx.a.test.", names with a dot at the end. TXT alone is not quoted: its
// strings are joined. BadInput where it is malformed.
Result<std::string> format_rdata(Type type, std::string_view rdata);
// "4.3.2.1.in-addr.arpa" for an IP literal.
Result<std::string> reverse_name(std::string_view ip);

}  // namespace gk::dns
