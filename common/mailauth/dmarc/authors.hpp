// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// Whom a message says it is from: the Author Domain (RFC 9989, 5.3.1).
namespace gk::mailauth::dmarc {

struct Authors {
    bool whole = true;  // the caller's to deny: only a begin of the header was there, since it is too large
    std::vector<std::string> domains;  // different ones, in order: A-labels (RFC 8616), lower case, no final dot
    std::size_t fields = 0;            // From fields
    std::size_t addresses = 0;         // in all of them
    // Why it is not sure whom a field names, at most 5; escaped. A domain that cannot be one; or what one reader takes
    // for part of an address and another does not, so that each would see another author; or several fields, of which
    // readers show one or the other (RFC 5322, 3.6, permits one).
    std::vector<std::string> malformed;
};

constexpr std::size_t kMaxAuthorDomains = 100;  // the rest is not told apart: no such message is honest

// From the From fields of HEADER, a header block: every one of them, since clients differ in which one they show.
// Groups (RFC 6854) count by their members; an address without a domain and an address literal name no domain.
Authors find_authors(std::string_view header);

// DOMAIN as Authors has them; a single label is one too. Empty where it is no domain name.
std::string author_domain(std::string_view domain);

}  // namespace gk::mailauth::dmarc
