// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dmarc/record.hpp"
#include "common/mailauth/dmarc/suffix_list.hpp"
#include "common/mailauth/dns_source.hpp"

// Which record applies, and where an organization ends: the DNS Tree Walk (RFC 9989, 4.10).
namespace gk::mailauth::dmarc {

enum class Method { TreeWalk, Psl };
std::string_view method_name(Method method) noexcept;  // "treewalk", "psl": as in reports (RFC 9990)

// What stands at _dmarc.NAME.
struct Found {
    std::string name;  // without _dmarc
    Outcome outcome = Outcome::Void;
    std::optional<Record> record;          // the one there; several are none (4.10, step 2)
    std::size_t records = 0;               // that begin with v=DMARC1
    std::vector<std::string> near_misses;  // other texts there that look as if they were meant to be one
    std::string error;                     // where it is TempError
    bool over_limit = false;               // it was not asked for
};

// The records of one evaluation: each name is asked for once, and only so many names at all.
class Records {
public:
    Records(DnsSource& dns, std::size_t most_queries) noexcept : dns_(dns), most_queries_(most_queries) {}
    // So many queries more than were made until now.
    void allow(std::size_t queries) noexcept { most_queries_ = queries_ + queries; }
    // Past the limit of queries: TempError, and over_limit. The reference is good for the life of this.
    const Found& at(const std::string& name);
    std::size_t queries() const noexcept { return queries_; }

private:
    DnsSource& dns_;
    std::size_t most_queries_;
    std::size_t queries_ = 0;
    std::map<std::string, Found> found_;
};

// The names whose records a walk from DOMAIN looks at, in order: at most 8, the top level domain last.
std::vector<std::string> walk_names(std::string_view domain);

// One walk to its end. SUFFIXES may be null: then RFC 9989 alone counts.
struct Walk {
    std::vector<const Found*> steps;
    // The Organizational Domain (4.10.2); empty where DNS did not answer.
    std::string organization;
    Method method = Method::TreeWalk;
    const Found* public_suffix = nullptr;  // the record that the suffix above published
    bool saw_psd = false;                  // a record said psd=y or psd=n
    std::string error;                     // why, where organization is empty
    bool over_limit = false;               // that is why
};
Walk walk(const std::string& domain, Records& records, const SuffixList* suffixes);

// The record that applies to mail from DOMAIN (4.10.1).
enum class Source { Author, Organization, PublicSuffix };
std::string_view source_name(Source source) noexcept;  // "author", "organization", "public suffix"
struct Discovery {
    const Found* found = nullptr;  // null: none
    Source source = Source::Author;
    std::string error;  // DNS did not answer: nothing is known
};
// Stops at the domain's own record; WALKED gets the walk where one was needed.
Discovery discover(const std::string& domain, Records& records, const SuffixList* suffixes,
                   std::optional<Walk>& walked);

}  // namespace gk::mailauth::dmarc
