// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace gk::tlspolicy {

// The least that we demand towards a domain, from little to much.
enum class Level {
    Never,          // plain text
    Unchecked,      // TLS where offered; what the domain publishes is not looked at
    Opportunistic,  // TLS where offered; DANE and MTA-STS where the domain publishes them
    Encrypt,        // and TLS always, whatever the certificate
    Verify,         // and always a certificate that names the MX host, which DNS may have lied about
    Secure,         // and always DANE, or MTA-STS in force
    Dane,           // and always DANE
};
std::string_view level_name(Level level) noexcept;
std::optional<Level> parse_level(std::string_view s) noexcept;

// A default, and domains of their own; ".b.test" is what lies below b.test.
class Levels {
public:
    explicit Levels(Level otherwise = Level::Opportunistic) : otherwise_(otherwise) {}
    // Config for a word that is no level.
    static Result<Levels> create(std::string_view otherwise, const std::map<std::string, std::string>& table);
    Level find(std::string_view domain) const;  // lower case, A-labels

private:
    Level otherwise_;
    std::map<std::string, Level, std::less<>> table_;
};

}  // namespace gk::tlspolicy
