// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.hpp"

// Addresses of the envelope: Mailbox and Path of RFC 5321, 4.1.2, with the UTF-8 of RFC 6531, 3.3.
namespace gk::address {

constexpr std::size_t kMaxLocalPart = 64;  // octets, RFC 5321, 4.5.3.1.1
// What a forwarder rewrote (SRS0=…, SRS1=…) holds an address of another, and postsrsd and others write it as long as it
// gets: more than RFC 5321 asks of us.
constexpr std::size_t kMaxRewrittenLocalPart = 320;
std::size_t max_local_part(std::string_view local_part) noexcept;
constexpr std::size_t kMaxDomain = 255;  // octets, RFC 5321, 4.5.3.1.2
constexpr std::size_t kMaxPath = 1024;   // octets with source route; RFC 5321, 4.5.3.1.3 asks for 256

struct Address {
    std::string local_part;  // its meaning: without quotes and quoted-pairs
    std::string domain;      // as written, without a final dot; "[192.0.2.1]" for a literal; empty: a bare local part

    bool is_literal() const noexcept { return !domain.empty() && domain[0] == '['; }
    // As it goes into a command or header: the local part quoted where it must be.
    std::string text() const;
    bool is_ascii() const noexcept;
    bool operator==(const Address&) const = default;
};

struct Path {
    Address address;           // empty in the null reverse-path
    bool null = false;         // "<>"
    std::string text() const;  // with the angle brackets; a source route is not kept (RFC 5321, C)
    bool operator==(const Path&) const = default;
};

struct Rules {
    bool utf8 = false;             // SMTPUTF8 was asked for in this transaction
    bool null = false;             // "<>" is permitted: a reverse-path
    bool bare_postmaster = false;  // "<Postmaster>" is permitted: RCPT (RFC 5321, 4.1.1.3)
};

// Reads "<...>" at the begin of REST and moves REST past it. BadInput with a text fit for a 501 reply otherwise.
Result<Path> parse_path(std::string_view& rest, Rules rules);
// The whole of TEXT is one Mailbox: local-part@domain, as in a command's operand or in configuration.
Result<Address> parse_address(std::string_view text, bool utf8 = true);
// A domain name or, where LITERALS, an address literal; checks syntax and length.
Status check_domain(std::string_view domain, bool utf8 = true, bool literals = true);

// Domains that mean the same become equal: A-labels, lower case, no final dot (IDNA2008, UTS 46 mapping).
Result<std::string> to_a_labels(std::string_view domain);
// For people: U-labels; the same domain where it has none or they are malformed.
std::string to_u_labels(std::string_view domain);

// The account's spelling: local part folded to lower case, domain as to_a_labels. What maps, directories and
// account names use. A domain that has no A-labels is only lower-cased.
std::string canonical(const Address& address);
std::string canonical_local_part(std::string_view local_part);

// "ann+lists" at '+' is {"ann", "lists"}; without SEPARATOR, or with it in front, {"ann", ""}.
// The first separator counts; SEPARATORS may hold several characters.
std::pair<std::string_view, std::string_view> split_subaddress(std::string_view local_part,
                                                               std::string_view separators);

}  // namespace gk::address
