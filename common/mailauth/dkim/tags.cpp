// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/tags.hpp"

#include <fmt/format.h>

#include <optional>

#include "common/base/text.hpp"

namespace gk::mailauth {
namespace {

constexpr std::size_t kMaxTags = 64;  // RFC 6376 and 8617 define a dozen; each is compared with all before it

bool is_tag_name(std::string_view name) noexcept {
    if (name.empty() || !text::is_alpha(name[0])) return false;
    for (const char c : name)
        if (!text::is_alpha(c) && !text::is_digit(c) && c != '_') return false;
    return true;
}

}  // namespace

Result<TagList> TagList::parse(std::string_view text) {
    TagList list;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(';', begin), text.size());
        const auto spec = text::trim(text.substr(begin, end - begin));
        begin = end + 1;
        if (spec.empty()) {
            // Only what follows the last semicolon may be empty.
            if (begin > text.size()) break;
            return fail(Errc::BadInput, "an empty tag");
        }
        const auto equals = spec.find('=');
        const auto name = text::trim(spec.substr(0, equals));
        if (equals == std::string_view::npos || !is_tag_name(name))
            return fail(Errc::BadInput, fmt::format("'{}' is not a tag", text::printable(spec, 40)));
        const auto value = text::trim(spec.substr(equals + 1));
        for (const char c : value)
            if ((static_cast<unsigned char>(c) < 0x20 && !text::is_space(c)) || c == 0x7f)
                return fail(Errc::BadInput, fmt::format("a control character in tag {}", name));
        if (list.find(name)) return fail(Errc::BadInput, fmt::format("tag {} stands there twice", name));
        if (list.tags_.size() == kMaxTags) return fail(Errc::BadInput, fmt::format("more than {} tags", kMaxTags));
        list.tags_.emplace_back(name, value);
    }
    return list;
}

const std::string_view* TagList::find(std::string_view name) const noexcept {
    for (const auto& [each, value] : tags_)
        if (each == name) return &value;
    return nullptr;
}

std::string without_white_space(std::string_view value) {
    std::string out;
    out.reserve(value.size());
    for (const char c : value)
        if (!text::is_space(c)) out += c;
    return out;
}

std::optional<std::string> base64_with_folds(std::string_view value) {
    std::string packed = without_white_space(value);
    // Seen in keys and signatures in the wild: the padding left out.
    while (packed.size() % 4 != 0 && packed.size() % 4 != 1) packed += '=';
    return text::from_base64(packed);
}

std::vector<std::string> colon_list(std::string_view value) {
    std::vector<std::string> out;
    for (const auto part : text::split(value, ':')) out.push_back(without_white_space(part));
    return out;
}

}  // namespace gk::mailauth
