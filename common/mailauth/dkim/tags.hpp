// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.hpp"

namespace gk::mailauth {

// tag-list of RFC 6376, 3.2: what DKIM signatures, DKIM keys, ARC sets and DMARC records are written in.
class TagList {
public:
    // Views into TEXT, which must outlive it. BadInput where a tag is malformed or stands there twice.
    static Result<TagList> parse(std::string_view text);

    // The value without white space around it, folds inside; null where the tag is absent.
    const std::string_view* find(std::string_view name) const noexcept;
    // The tags in order: names in their case, which counts.
    const std::vector<std::pair<std::string_view, std::string_view>>& tags() const noexcept { return tags_; }

private:
    std::vector<std::pair<std::string_view, std::string_view>> tags_;
};

// All SP, TAB, CR and LF dropped.
std::string without_white_space(std::string_view value);
// Base64 with white space anywhere in it (RFC 6376, 2.10); nothing where it is anything else.
std::optional<std::string> base64_with_folds(std::string_view value);
// "a : b:c" as its parts without white space.
std::vector<std::string> colon_list(std::string_view value);

}  // namespace gk::mailauth
