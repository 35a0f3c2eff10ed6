// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/mailauth/ip.hpp"

// The grammar of an SPF record (RFC 7208, 4.6 and 12).
namespace gk::mailauth::spf {

enum class Mechanism { All, Include, A, Mx, Ptr, Ip4, Ip6, Exists };

struct Directive {
    char qualifier = '+';  // + - ~ ?
    Mechanism mechanism = Mechanism::All;
    std::string text;    // as written
    std::string domain;  // domain-spec, macros not expanded; empty: the domain itself
    Ip network;          // of ip4 and ip6
    unsigned prefix4 = 32, prefix6 = 128;

    // Terms that ask DNS, of which a check may evaluate ten (4.6.4).
    bool asks_dns() const noexcept {
        return mechanism != Mechanism::All && mechanism != Mechanism::Ip4 && mechanism != Mechanism::Ip6;
    }
};

struct Record {
    std::vector<Directive> directives;
    std::optional<std::string> redirect, exp;  // domain-spec
    bool has_all = false;                      // then redirect counts for nothing (6.1)
};

// Whether a TXT record is an SPF record: "v=spf1" and then a space or the end (4.5).
bool is_record(std::string_view txt) noexcept;
// BadInput names the term and what is wrong with it. TXT must be is_record.
Result<Record> parse_record(std::string_view txt);

}  // namespace gk::mailauth::spf
