// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/mailauth/ip.hpp"

// Macros of RFC 7208, 7.
namespace gk::mailauth::spf {

// What macros expand to. The views must outlive it.
struct MacroFacts {
    std::string_view local_part;     // "postmaster" where the sender has none
    std::string_view sender_domain;  // the domain of the sender
    std::string_view domain;         // the domain that is evaluated at present: changes with include and redirect
    std::string_view helo;
    std::string_view receiver;  // the host that asks; "unknown"
    Ip ip;
    std::int64_t now_s = 0;
    std::function<std::string()> validated_name;  // %{p}: asks DNS, so only where it is there
};

// The letters c, r and t are for explanations alone (7.2).
enum class Where { DomainSpec, Explanation };

// macro-string, or explain-string where it is an Explanation. BadInput with what is wrong.
Status check_macro_string(std::string_view text, Where where);
// domain-spec: a macro-string that ends in a label which is not all digits, or in a macro (7.1).
Status check_domain_spec(std::string_view text);

bool has_macros(std::string_view text) noexcept;
// True where TEXT uses the sender's local part (%{s} or %{l}): with a local part beyond ASCII such a term matches
// nothing (RFC 8616, 4).
bool uses_local_part(std::string_view text) noexcept;

// TEXT must have passed a check above.
std::string expand(std::string_view text, const MacroFacts& facts);
// As expand, for a name to be asked for: labels are dropped on the left until it fits 253 octets (7.3), and a final
// dot.
std::string expand_domain(std::string_view text, const MacroFacts& facts);

}  // namespace gk::mailauth::spf
