// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/alignment.hpp"

#include "common/mailauth/domain.hpp"

namespace gk::mailauth::dmarc {

const Walk& Aligner::walk_of_author() {
    if (!author_walk_) author_walk_ = walk(author_, records_, suffixes_);
    return *author_walk_;
}

void Aligner::align(Identifier& identifier) {
    const bool strict = identifier.kind == Identifier::Kind::Spf ? policy_.strict_spf : policy_.strict_dkim;
    if (identifier.domain.empty()) identifier.alignment = Alignment::None;
    else if (identifier.domain == author_) identifier.alignment = Alignment::Strict;
    else if (strict) identifier.alignment = Alignment::None;
    // What neither passed nor might have is not worth a question.
    else if (identifier.passed || identifier.temporary) relaxed(identifier);
}

void Aligner::relaxed(Identifier& identifier) {
    const Walk& author = walk_of_author();
    if (author.organization.empty()) return;  // Unknown
    identifier.alignment = Alignment::None;
    // An Organizational Domain is at or above the name: who is not below the author's has another one.
    if (is_at_or_below(identifier.domain, author.organization)) {
        const Walk own = walk(identifier.domain, records_, suffixes_);
        identifier.organization = own.organization;
        if (own.organization.empty()) {
            // Who brings more names than we ask about does not get an error for it.
            if (!own.over_limit) identifier.alignment = Alignment::Unknown;
            return;
        }
        if (own.organization == author.organization) {
            identifier.alignment = Alignment::Relaxed;
            identifier.method = author.method;
            return;
        }
        if (own.saw_psd) return;
    }
    if (fall_back(identifier)) {
        identifier.alignment = Alignment::Relaxed;
        identifier.method = Method::Psl;
    }
}

bool Aligner::fall_back(Identifier& identifier) {
    const Walk& author = walk_of_author();
    if (!suffixes_ || !policy_.of_old_form() || author.saw_psd) return false;
    const std::string registered = suffixes_->registered_domain(author_);
    if (registered.empty() || !is_at_or_below(identifier.domain, registered)) return false;
    // The other side may have drawn a border of its own.
    const Walk own = walk(identifier.domain, records_, suffixes_);
    if (own.saw_psd || own.organization.empty()) return false;
    identifier.organization = registered;
    return true;
}

}  // namespace gk::mailauth::dmarc
