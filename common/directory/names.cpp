// SPDX-License-Identifier: MIT
#include <pwd.h>
#include <unistd.h>
#include <cstdlib>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/directory/directory.hpp"

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
    limits.postmaster = config.string("directory.postmaster");
    limits.delimiter = config.string("delivery.subaddress_delimiter");
    return limits;
}

}  // namespace gk::directory
