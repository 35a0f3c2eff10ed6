// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

// What a program of this machine leaves out of its message's header is put in (RFC 6409, 8), and what nobody may see is
// taken out.
namespace gk::submit {

// Who writes: the user of this machine.
struct Author {
    std::string address;    // qualified
    std::string full_name;  // may be empty
    std::string domain;     // what local names are qualified by
};

struct Prepared {
    std::string header;  // with CRLF, without the empty line that ends it
    std::vector<std::string>
        recipients;  // of To, Cc and Bcc, or of the first block of Resent fields where there is one
};

// BLOCK: lines with CRLF. Drops Bcc, Resent-Bcc, Return-Path and a mailbox's "From " line; qualifies addresses without
// a domain; adds From, Date and Message-ID (made of UNIQUE) where they are missing. Never fails.
Prepared prepare_header(std::string_view block, const Author& author, const std::string& unique, TimePoint when);

// "root" as root@DOMAIN; "Ann <ann@a.test>" as ann@a.test; BadInput where that is no address.
Result<std::string> qualify(std::string_view address, const std::string& domain);
// All of an operand: "ann,bob" are two.
Result<std::vector<std::string>> qualify_list(std::string_view addresses, const std::string& domain);

// True where LINE (without its end) can stand in a header: a field's first line, or a fold.
bool is_header_line(std::string_view line, bool first) noexcept;

}  // namespace gk::submit
