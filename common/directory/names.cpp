// SPDX-License-Identifier: MIT
#include <pwd.h>
#include <unistd.h>
#include <cstdlib>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/directory/directory.hpp"
#include "common/directory/patterns.hpp"

namespace gk::directory {

namespace {

// Where the domain begins; a quoted local-part may hold an '@' itself.
std::size_t at_sign(std::string_view address) noexcept { return address.rfind('@'); }

}  // namespace

std::string_view domain_of(std::string_view address) noexcept {
    const auto at = at_sign(address);
    return at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
}

std::string_view local_part_of(std::string_view address) noexcept { return address.substr(0, at_sign(address)); }

Result<std::string> canonical_domain(std::string_view domain) {
    while (domain.ends_with('.')) domain.remove_suffix(1);
    if (domain.empty() || domain.size() > address::kMaxDomain)
        return fail(Errc::BadInput, fmt::format("'{}' is not a domain", text::printable(domain)));
    if (auto status = address::check_domain(domain, true, false); !status)
        return fail(Errc::BadInput, fmt::format("'{}' is not a domain", text::printable(domain)));
    auto ascii = address::to_a_labels(domain);
    if (!ascii) return fail(Errc::BadInput, fmt::format("'{}' is not a domain", text::printable(domain)));
    return ascii;
}

Result<std::string> canonical_address(std::string_view given) {
    const std::string_view trimmed = text::trim(given);
    if (text::equals_nocase(trimmed, "postmaster") || text::equals_nocase(trimmed, "postmaster@"))
        return std::string("postmaster@");
    GK_TRY(const auto parsed, address::parse_address(trimmed, true));
    // Not Address::text(): the key in our tables is the local part itself, without quotes.
    const std::string canonical = address::canonical(parsed);
    return canonical;
}

Result<std::string> canonical_account(std::string_view given) {
    GK_TRY(const auto parsed, address::parse_address(text::trim(given), true));
    GK_TRY(const std::string domain, canonical_domain(parsed.domain));
    const std::string local = address::canonical_local_part(parsed.local_part);
    const auto refuse = [&](std::string_view why) {
        return fail(Errc::BadInput, fmt::format("'{}' cannot be an account: {}", text::printable(given), why));
    };
    if (local.empty() || local.size() > address::kMaxLocalPart) return refuse("its local part must have 1 to 64 bytes");
    // It names a directory, and stands unquoted in many a file.
    if (local.front() == '.' || local.back() == '.') return refuse("its local part begins or ends with a dot");
    for (const char c : local) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte == 0x7F ||
            std::string_view("/\\\"'`<>()[]{},:;@|*?$%!&").find(c) != std::string_view::npos)
            return refuse(fmt::format("its local part holds '{}'", text::printable(std::string_view(&c, 1))));
    }
    return local + "@" + domain;
}

namespace {

// "ann+*" or "*+spam": one '*' at an end, beside a character that can part a sub-address; the rest as of an account.
std::optional<std::string> sub_address_rule(std::string_view local) {
    if (local.size() < 3) return std::nullopt;
    const bool first = local.front() == '*', last = local.back() == '*';
    if (first == last) return std::nullopt;
    const char delimiter = first ? local[1] : local[local.size() - 2];
    if (text::is_alpha(delimiter) || text::is_digit(delimiter) || static_cast<unsigned char>(delimiter) >= 0x80)
        return std::nullopt;
    const auto rest = first ? local.substr(2) : local.substr(0, local.size() - 2);
    return std::string(rest);
}

}  // namespace

Result<std::string> canonical_alias(std::string_view given) {
    const std::string_view address = text::trim(given);
    const auto local = local_part_of(address);
    if (address.starts_with('@')) {
        GK_TRY(const std::string domain, canonical_domain(address.substr(1)));
        return "@" + domain;
    }
    if (address.find('@') == std::string_view::npos) return canonical_account(address);  // which says what is wrong
    if (local.starts_with('/')) {
        GK_TRY(const std::string domain, canonical_domain(domain_of(address)));
        const auto pattern = pattern_in(local);
        if (!pattern)
            return fail(Errc::BadInput, fmt::format("'{}' is not /PATTERN/@DOMAIN", text::printable(address)));
        GK_CHECK(Patterns::check(*pattern));
        return std::string(local) + "@" + domain;
    }
    if (const auto rest = sub_address_rule(local)) {
        GK_TRY(const std::string named, canonical_account(*rest + "@" + std::string(domain_of(address))));
        return address::canonical_local_part(local) + "@" + std::string(domain_of(named));
    }
    return canonical_account(address);
}

std::string home_of(const config::Paths& paths, std::string_view canonical_address) {
    return paths.mail + "/" + std::string(domain_of(canonical_address)) + "/" +
           std::string(local_part_of(canonical_address));
}

Actor Actor::caller() {
    if (const char* behind_sudo = std::getenv("SUDO_USER"); behind_sudo != nullptr && ::geteuid() == 0)
        return {behind_sudo};
    const passwd* const user = ::getpwuid(::getuid());
    return {user != nullptr ? std::string(user->pw_name) : std::to_string(::getuid())};
}

Limits Limits::from(const config::Config& config) {
    Limits limits;
    limits.alias_depth = static_cast<int>(config.integer("directory.alias_depth"));
    limits.alias_size = static_cast<int>(config.integer("directory.alias_size"));
    limits.patterns = static_cast<int>(config.integer("directory.patterns"));
    limits.postmaster = config.string("directory.postmaster");
    limits.delimiter = config.string("delivery.subaddress_delimiter");
    return limits;
}

}  // namespace gk::directory
