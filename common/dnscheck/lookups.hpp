// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/dnscheck/records.hpp"
#include "common/mailauth/dns_source.hpp"
#include "common/mailauth/dns_table.hpp"

namespace gk::dnscheck {

struct Answer {
    enum class State {
        Found,
        Nothing,  // no records of that type, or no such name
        Failed,   // no answer
    };
    State state = State::Nothing;
    bool secure = false;            // validated
    bool bogus = false;             // failed validation; DATA is shown all the same
    std::string canonical;          // where aliases led
    std::vector<std::string> data;  // canonical_data; empty unless Found
    std::string error;              // why, where it Failed or is bogus

    bool found() const noexcept { return state == State::Found; }
    bool failed() const noexcept { return state == State::Failed; }
};

// Where answers come from. NAME is bytes with dots between labels.
class Source {
public:
    virtual ~Source() = default;
    virtual Answer ask(std::string_view name, dns::Type type) = 0;
};

class NetworkSource : public Source {
public:
    explicit NetworkSource(dns::Resolver& resolver) noexcept : resolver_(resolver) {}
    Answer ask(std::string_view name, dns::Type type) override;

private:
    dns::Resolver& resolver_;
};

class TableSource : public Source {
public:
    explicit TableSource(const mailauth::DnsTable& table) noexcept : table_(table) {}
    Answer ask(std::string_view name, dns::Type type) override;

private:
    const mailauth::DnsTable& table_;
};

// A run's view of DNS: every question is asked once, their number and time are bounded, and a change that was
// proposed shows in later answers, so that one mistake is reported once and not again by all that depends on it. One
// thread.
class Lookups : public mailauth::DnsSource {
public:
    struct Limits {
        unsigned questions = 3000;
        std::chrono::milliseconds time{180'000};
    };
    explicit Lookups(Source& source) : Lookups(source, Limits()) {}
    Lookups(Source& source, const Limits& limits);

    const Answer& ask(std::string_view name, dns::Type type);
    // The data of an answer; empty where there is none.
    const std::vector<std::string>& data(std::string_view name, dns::Type type) { return ask(name, type).data; }
    void apply(const Change& change);
    // The limits count from here on: for the next domain. What is known stays known.
    void renew_limits();
    unsigned questions() const noexcept { return questions_; }

    mailauth::Lookup<std::string> txt(std::string_view name) override;
    mailauth::Lookup<std::string> a(std::string_view name) override;
    mailauth::Lookup<std::string> aaaa(std::string_view name) override;
    mailauth::Lookup<dns::Mx> mx(std::string_view name) override;
    mailauth::Lookup<std::string> ptr(std::string_view ip) override;

private:
    mailauth::Lookup<std::string> strings(std::string_view name, dns::Type type);
    Answer fetch(const std::string& name, dns::Type type);

    Source& source_;
    const Limits limits_;
    std::chrono::steady_clock::time_point deadline_;
    unsigned questions_ = 0;
    std::map<std::pair<std::string, dns::Type>, Answer> known_;
    std::set<std::pair<std::string, dns::Type>> changed_;
    std::map<std::string, std::string> aliases_;  // CNAMEs that were proposed
    std::set<std::string> freed_;                 // names whose CNAME is proposed to go
};

}  // namespace gk::dnscheck
