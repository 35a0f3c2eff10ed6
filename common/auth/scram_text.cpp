// SPDX-License-Identifier: MIT
#include "common/auth/scram_text.hpp"

#include "common/base/text.hpp"

namespace gk::auth {

std::optional<std::string_view> take_attribute(std::string_view& rest, char name) {
    if (rest.size() < 2 || rest[0] != name || rest[1] != '=') return std::nullopt;
    const std::size_t comma = rest.find(',');
    const std::string_view value = rest.substr(2, comma == std::string_view::npos ? comma : comma - 2);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    return value;
}

std::optional<std::string> decode_saslname(std::string_view name) {
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] == '\0' || name[i] == ',') return std::nullopt;
        if (name[i] != '=') {
            out += name[i];
            continue;
        }
        const std::string_view code = name.substr(i + 1, 2);
        if (code == "2C") out += ',';
        else if (code == "3D") out += '=';
        else return std::nullopt;
        i += 2;
    }
    if (!text::is_utf8(out)) return std::nullopt;
    return out;
}

std::string encode_saslname(std::string_view name) {
    return text::replace_all(text::replace_all(name, "=", "=3D"), ",", "=2C");
}

bool is_scram_nonce(std::string_view nonce) noexcept {
    if (nonce.empty()) return false;
    return std::all_of(nonce.begin(), nonce.end(), [](char c) { return c >= 0x21 && c <= 0x7E && c != ','; });
}

}  // namespace gk::auth
