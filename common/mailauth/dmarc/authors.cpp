// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/authors.hpp"

#include <algorithm>

#include "common/address/list.hpp"
#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"
#include "common/message/header.hpp"

namespace gk::mailauth::dmarc {
namespace {

constexpr std::size_t kMaxMalformed = 5;

void add_field(std::string_view value, Authors& authors) {
    for (const auto& listed : address::parse_list(value)) {
        if (listed.kind != address::Listed::Kind::Mailbox || (listed.domain.empty() && listed.local_part.empty()))
            continue;
        ++authors.addresses;
        if (listed.domain.empty() || listed.domain.front() == '[') continue;
        std::string domain = author_domain(listed.domain);
        if (domain.empty()) {
            if (authors.malformed.size() < kMaxMalformed)
                authors.malformed.push_back(text::printable(listed.domain, 100));
            continue;
        }
        if (std::find(authors.domains.begin(), authors.domains.end(), domain) != authors.domains.end()) continue;
        if (authors.domains.size() < kMaxAuthorDomains) authors.domains.push_back(std::move(domain));
    }
}

}  // namespace

std::string author_domain(std::string_view domain) {
    if (domain.ends_with('.')) domain.remove_suffix(1);
    std::string name;
    if (text::is_ascii(domain)) name = text::lower(domain);
    else if (auto converted = address::to_a_labels(domain)) name = std::move(*converted);
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_' || c == '.';
    });
    return plain && fits_dns(name) ? name : std::string();
}

Authors find_authors(std::string_view header) {
    Authors authors;
    message::FieldReader reader(header);
    for (message::Field field; reader.next(field);) {
        if (!text::equals_nocase(field.name, "From")) continue;
        ++authors.fields;
        add_field(field.value, authors);
    }
    return authors;
}

}  // namespace gk::mailauth::dmarc
