// SPDX-License-Identifier: MIT
#include "common/mailauth/domain.hpp"

#include "common/address/path.hpp"
#include "common/base/text.hpp"

namespace gk::mailauth {

bool fits_dns(std::string_view name) noexcept {
    if (name.empty() || name.size() > 253) return false;
    std::size_t label = 0;
    for (const char c : name) {
        if (c != '.') {
            if (++label > 63) return false;
            continue;
        }
        if (label == 0) return false;
        label = 0;
    }
    return label > 0;
}

std::string dns_domain(std::string_view domain) {
    if (domain.ends_with('.')) domain.remove_suffix(1);
    std::string name;
    if (text::is_ascii(domain)) {
        name = text::lower(domain);
    } else if (auto converted = address::to_a_labels(domain)) {
        name = std::move(*converted);
    }
    if (!fits_dns(name) || name.find('.') == std::string::npos) return {};
    for (const char c : name)
        if (c <= ' ' || c == '[' || c == ']' || c == '@' || c == 0x7f) return {};
    return name;
}

bool is_at_or_below(std::string_view name, std::string_view parent) noexcept {
    if (name.ends_with('.')) name.remove_suffix(1);
    if (parent.ends_with('.')) parent.remove_suffix(1);
    if (parent.empty() || name.size() < parent.size()) return false;
    if (!text::equals_nocase(name.substr(name.size() - parent.size()), parent)) return false;
    return name.size() == parent.size() || name[name.size() - parent.size() - 1] == '.';
}

}  // namespace gk::mailauth
