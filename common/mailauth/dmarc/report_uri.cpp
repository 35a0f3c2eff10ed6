// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/report_uri.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::mailauth::dmarc {
namespace {

constexpr std::size_t kMaxUri = 1000;

// RFC 7489, 6.4: 1*DIGIT [ "k" / "m" / "g" / "t" ], powers of 1024.
std::optional<std::uint64_t> parse_limit(std::string_view text) {
    if (text.empty()) return std::nullopt;
    unsigned shift = 0;
    switch (text::to_lower(text.back())) {
        case 'k': shift = 10; break;
        case 'm': shift = 20; break;
        case 'g': shift = 30; break;
        case 't': shift = 40; break;
        default: break;
    }
    if (shift != 0) text.remove_suffix(1);
    const auto number = text::to_uint(text);
    if (!number || *number > (UINT64_MAX >> shift)) return std::nullopt;
    return *number << shift;
}

bool is_scheme(std::string_view scheme) {
    return !scheme.empty() && text::is_alpha(scheme[0]) && std::all_of(scheme.begin(), scheme.end(), [](char c) {
        return text::is_alpha(c) || text::is_digit(c) || c == '+' || c == '-' || c == '.';
    });
}

// What may stand in a URI (RFC 3986, 2), as far as a list parted by commas lets it through.
bool is_uri_text(std::string_view rest) {
    return std::all_of(rest.begin(), rest.end(), [](char c) {
        return c > ' ' && c < 0x7f && std::string_view("\"<>\\^`{|}").find(c) == std::string_view::npos;
    });
}

std::string authority_host(std::string_view rest) {
    if (!rest.starts_with("//")) return {};
    rest.remove_prefix(2);
    rest = rest.substr(0, rest.find_first_of("/?#"));
    if (const auto at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
    return dns_domain(rest.substr(0, rest.find(':')));
}

}  // namespace

Result<ReportUri> parse_report_uri(std::string_view text) {
    text = text::trim(text);
    const auto wrong = [&](std::string_view what) {
        return fail(Errc::BadInput, fmt::format("'{}' {}", text::printable(text, 100), what));
    };
    if (text.empty()) return fail(Errc::BadInput, "an empty address");
    if (text.size() > kMaxUri) return wrong("is too long");
    ReportUri uri;
    uri.text = text;
    std::string_view body = text;
    if (const auto mark = body.rfind('!'); mark != std::string_view::npos) {
        uri.most_octets = parse_limit(body.substr(mark + 1));
        if (!uri.most_octets) return wrong("holds a '!' that is no size limit");
        body = body.substr(0, mark);
    }
    const auto colon = body.find(':');
    if (colon == std::string_view::npos || !is_scheme(body.substr(0, colon)))
        return wrong("is no URI: it does not begin with mailto:");
    const auto rest = body.substr(colon + 1);
    if (rest.empty() || !is_uri_text(rest)) return wrong("is no URI");
    uri.uri = body;
    uri.scheme = text::lower(body.substr(0, colon));
    if (!uri.is_mail()) {
        uri.domain = authority_host(rest);
        return uri;
    }
    // RFC 6068: header fields behind '?' are not for us to set.
    const auto decoded = text::percent_decode(rest.substr(0, rest.find('?')));
    const auto address = decoded ? address::parse_address(*decoded) : fail(Errc::BadInput, "");
    if (!address) return wrong("names no mail address");
    uri.domain = dns_domain(address->domain);
    if (uri.domain.empty()) return wrong("names no mail domain");
    uri.address = address::Address{address->local_part, uri.domain}.text();
    return uri;
}

}  // namespace gk::mailauth::dmarc
