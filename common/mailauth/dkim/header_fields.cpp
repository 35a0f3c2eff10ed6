// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/header_fields.hpp"

#include "common/base/text.hpp"

namespace gk::mailauth {

HeaderFields::HeaderFields(std::string_view block) {
    message::FieldReader reader(block);
    for (message::Field field; reader.next(field);) {
        by_name_[text::lower(field.name)].push_back(fields_.size());
        fields_.push_back(field);
    }
}

const std::vector<std::size_t>* HeaderFields::named(const std::string& name) const noexcept {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &found->second;
}

std::size_t HeaderFields::count(const std::string& name) const noexcept {
    const auto* positions = named(name);
    return positions ? positions->size() : 0;
}

std::string header_digest(const HeaderFields& fields, const std::vector<std::string>& names, std::string_view last,
                          Canon canon) {
    Sha256 hash;
    std::map<std::string_view, std::size_t> taken;
    for (const auto& name : names) {
        const auto* positions = fields.named(name);
        if (!positions) continue;
        std::size_t& used = taken[name];
        if (used == positions->size()) continue;
        ++used;
        hash.update(canonical_field(fields.all()[(*positions)[positions->size() - used]].whole, canon));
    }
    hash.update(canonical_field(last, canon, false));
    return hash.digest();
}

std::string_view MessageSplitter::feed(std::string_view bytes) {
    while (!in_body_ && !bytes.empty()) {
        const auto end = bytes.find('\n');
        const auto piece = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
        if (header_.size() + piece.size() > most_) too_large_ = true;
        if (!too_large_) header_ += piece;
        bytes.remove_prefix(piece.size());
        // Past the limit nobody needs to know where the body begins: no signature can be checked.
        if (too_large_ || end == std::string_view::npos) continue;
        const std::string_view line = std::string_view(header_).substr(line_);
        if (line == "\n" || line == "\r\n") {
            header_.resize(line_);
            in_body_ = true;
        }
        line_ = header_.size();
    }
    return bytes;
}

}  // namespace gk::mailauth
