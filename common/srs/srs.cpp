// SPDX-License-Identifier: MIT
#include "common/srs/srs.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/address/grammar.hpp"
#include "common/base/ids.hpp"
#include "common/base/text.hpp"

namespace gk::srs {

namespace {

constexpr std::size_t kHash = 6;  // characters of base 32
constexpr std::int64_t kDays = 1024;
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

std::string hash_of(std::string_view text, std::string_view secret) {
    const std::string folded = text::lower(text);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(folded.data()), folded.size(), digest, &length);
    std::string hash;
    for (std::size_t i = 0; i < kHash; ++i) hash += kBase32[digest[i] & 31];
    return hash;
}

bool fits(std::string_view hash, std::string_view text, const std::vector<std::string>& secrets) {
    bool any = false;
    for (const auto& secret : secrets) any |= equals_constant_time(text::upper(hash), hash_of(text, secret));
    return any;
}

std::int64_t day_of(TimePoint when) { return to_unix_s(when) / 86400 % kDays; }

std::string format_day(std::int64_t day) {
    return {kBase32[static_cast<std::size_t>(day >> 5)], kBase32[static_cast<std::size_t>(day & 31)]};
}

std::optional<std::int64_t> parse_day(std::string_view text) {
    if (text.size() != 2) return std::nullopt;
    const auto high = kBase32.find(text::to_upper(text[0])), low = kBase32.find(text::to_upper(text[1]));
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    return static_cast<std::int64_t>(high << 5 | low);
}

// What stands before the next '=', which goes too; nothing where there is none or it is empty.
std::optional<std::string_view> take(std::string_view& rest) {
    const auto end = rest.find('=');
    if (end == std::string_view::npos || end == 0) return std::nullopt;
    const auto taken = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return taken;
}

std::string address_of(std::string_view local_part, std::string_view domain) {
    return address::quote_local_part(local_part) + "@" + std::string(domain);
}

tl::unexpected<Error> not_ours() { return fail(Errc::Denied, "no address that was made here"); }

Result<std::string> restore_first(std::string_view rest, const std::vector<std::string>& secrets,
                                  std::int64_t max_age_s, TimePoint now) {
    const auto hash = take(rest);
    const auto signed_part = rest;
    const auto day = hash ? take(rest) : std::nullopt;
    const auto domain = day ? take(rest) : std::nullopt;
    if (!domain) return fail(Errc::BadInput, "not complete");  // the rest may be empty: ""@b.test is an address
    if (!fits(*hash, signed_part, secrets)) return not_ours();
    const auto made = parse_day(*day);
    if (!made) return not_ours();
    std::int64_t age = (day_of(now) - *made + kDays) % kDays;
    if (age == kDays - 1) age = 0;  // a clock that was set back
    if (age * 86400 > max_age_s) return fail(Errc::Denied, fmt::format("made {} days ago", age));
    return address_of(rest, *domain);
}

}  // namespace

bool is_rewritten(std::string_view local_part) noexcept {
    return local_part.size() > 5 && text::starts_with_nocase(local_part, "SRS") &&
           (local_part[3] == '0' || local_part[3] == '1') &&
           std::string_view("=+-").find(local_part[4]) != std::string_view::npos;
}

std::string rewrite(std::string_view reverse_path, std::string_view domain, std::string_view secret, TimePoint now) {
    const auto at = reverse_path.rfind('@');
    if (at == std::string_view::npos) return std::string(reverse_path);  // the null one stays what it is
    const std::string local = address::unquote_local_part(reverse_path.substr(0, at));
    const std::string host = text::lower(reverse_path.substr(at + 1));
    if (is_rewritten(local)) {
        // The first forwarder's part, and where that is: its own domain, or what an SRS1 says.
        std::string_view opaque = std::string_view(local).substr(4);
        std::string first = host;
        if (local[3] == '1') {
            std::string_view rest = opaque.substr(1);
            const auto hash = take(rest);
            const auto named = hash ? take(rest) : std::nullopt;
            if (named) {
                first = *named;
                opaque = rest;
            }
        }
        const std::string body = first + "=" + std::string(opaque);
        return address_of("SRS1=" + hash_of(body, secret) + "=" + body, domain);
    }
    const std::string body = format_day(day_of(now)) + "=" + host + "=" + local;
    return address_of("SRS0=" + hash_of(body, secret) + "=" + body, domain);
}

Result<std::string> restore(std::string_view local_part, const std::vector<std::string>& secrets,
                            std::int64_t max_age_s, TimePoint now) {
    if (!is_rewritten(local_part)) return fail(Errc::BadInput, "not an address of the sender rewriting scheme");
    std::string_view rest = local_part.substr(5);
    if (local_part[3] == '0') return restore_first(rest, secrets, max_age_s, now);
    const auto hash = take(rest);
    const auto body = rest;
    const auto first = hash ? take(rest) : std::nullopt;
    if (!first || rest.size() < 2) return fail(Errc::BadInput, "not complete");
    if (!fits(*hash, body, secrets)) return not_ours();
    return address_of("SRS0" + std::string(rest), *first);
}

}  // namespace gk::srs
