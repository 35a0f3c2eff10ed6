// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/dns/resolver.hpp"

// Mail authentication as pure functions: whatever they learn from DNS comes through this interface, so that a test or a
// file can answer in place of the network.
namespace gk::mailauth {

enum class Outcome {
    Found,
    Void,       // the name does not exist, has no such records, or is none that DNS could hold
    TempError,  // no answer, SERVFAIL or bogus: asking again may help
};

template <class Record>
struct Lookup {
    Outcome outcome = Outcome::Void;
    std::vector<Record> records;  // empty unless Found
    std::string error;            // why, where it is TempError
    bool secure = false;          // validated by DNSSEC
    bool no_domain = false;       // Void, because the name, and so all below it, does not exist (RFC 8020)

    bool found() const noexcept { return outcome == Outcome::Found; }
};

// NAME is bytes with dots between labels, in any case, without escapes; it need not be a host name. Implementations
// may be asked from any number of threads unless they say otherwise.
class DnsSource {
public:
    virtual ~DnsSource() = default;
    virtual Lookup<std::string> txt(std::string_view name) = 0;  // the strings of each record joined
    virtual Lookup<std::string> a(std::string_view name) = 0;    // "192.0.2.1"
    virtual Lookup<std::string> aaaa(std::string_view name) = 0;
    virtual Lookup<dns::Mx> mx(std::string_view name) = 0;
    virtual Lookup<std::string> ptr(std::string_view ip) = 0;  // names, for an IP literal

    // What is not answered at LATEST is a TempError, from now on. For sources that wait for somebody.
    virtual void set_deadline(std::chrono::steady_clock::time_point latest) noexcept { (void)latest; }
};

}  // namespace gk::mailauth
