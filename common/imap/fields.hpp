// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "common/base/text.hpp"

namespace gk::imap {

// Lines of "VERB TAB key=value …", values percent-encoded: calls FIELD(key, value) for each field behind the verb;
// false where the line is malformed.
template <class Field>
bool read_fields(std::string_view line, std::string_view verb, Field field) {
    const auto parts = text::split(line, '\t');
    if (parts.front() != verb) return false;
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto equals = parts[i].find('=');
        if (equals == std::string_view::npos) return false;
        auto value = text::percent_decode(parts[i].substr(equals + 1));
        if (!value) return false;
        field(parts[i].substr(0, equals), std::move(*value));
    }
    return true;
}

}  // namespace gk::imap
