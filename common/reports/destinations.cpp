// SPDX-License-Identifier: MIT
#include "common/reports/destinations.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/dmarc/report_uri.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::reports {
namespace {

// Of one record; RFC 9989 obliges to two.
constexpr std::size_t kMostDestinations = 10;

// The value of TAG in a record of "tag=value" with ";" between, whose first must be VERSION.
std::optional<std::string> tag_of(std::string_view record, std::string_view version, std::string_view tag,
                                  bool& is_record) {
    bool first = true;
    std::optional<std::string> found;
    is_record = false;
    for (const auto part : text::split(record, ';')) {
        const auto equals = part.find('=');
        const auto name = text::trim(part.substr(0, equals));
        const auto value = equals == std::string_view::npos ? "" : text::trim(part.substr(equals + 1));
        if (first) {
            if (name != "v" || value != version) return std::nullopt;
            is_record = true;
            first = false;
        } else if (text::equals_nocase(name, tag) && !found) {
            found = std::string(value);
        }
    }
    return found;
}

}  // namespace

Result<Destination> parse_destination(std::string_view text) {
    GK_TRY(const auto uri, mailauth::dmarc::parse_report_uri(text));
    Destination out;
    out.host = uri.domain;
    out.limit = uri.most_octets.value_or(0);
    const auto refuse = [&](std::string_view what) {
        return fail(Errc::BadInput, fmt::format("'{}' {}", text::printable(text, 200), what));
    };
    if (uri.is_mail()) {
        // It becomes a field of a message, where quotes and comments mean more than an address.
        for (const char c : uri.address)
            if (c <= ' ' || static_cast<unsigned char>(c) >= 0x7F ||
                std::string_view("<>()[],;:\\\"").find(c) != std::string_view::npos)
                return refuse("is no plain address");
        out.address = uri.address;
        return out;
    }
    if (uri.scheme != "https") return refuse("is neither mailto: nor https:");
    if (out.host.empty()) return refuse("names no host");
    out.scheme = Destination::Scheme::Https;
    out.address = uri.uri.substr(0, uri.uri.find('#'));
    std::string_view authority = std::string_view(out.address).substr(std::min<std::size_t>(8, out.address.size()));
    authority = authority.substr(0, authority.find_first_of("/?"));
    if (authority.find('@') != std::string_view::npos) return refuse("has a user name");
    return out;
}

std::vector<Destination> parse_rua(std::string_view value) {
    std::vector<Destination> out;
    for (const auto uri : text::split(value, ','))
        if (auto destination = parse_destination(uri); destination && out.size() < kMostDestinations &&
                                                       std::find(out.begin(), out.end(), *destination) == out.end())
            out.push_back(std::move(*destination));
    return out;
}

ConsentAnswer ask_consent(mailauth::DnsSource& dns, std::string_view policy_domain, const Destination& destination) {
    const std::string name = fmt::format("{}._report._dmarc.{}", policy_domain, destination.host);
    if (!mailauth::fits_dns(name)) return {Consent::Refused, std::nullopt, "the name to ask is too long for DNS"};
    const auto lookup = dns.txt(name);
    if (lookup.outcome == mailauth::Outcome::TempError)
        return {Consent::Unknown, std::nullopt, fmt::format("no answer for {}: {}", name, lookup.error)};
    bool consents = false;
    std::optional<std::string> rua;
    for (const auto& record : lookup.records) {
        bool is_record = false;
        auto value = tag_of(record, "DMARC1", "rua", is_record);
        consents = consents || is_record;
        if (is_record && value && !rua) rua = std::move(value);
    }
    if (!consents)
        return {Consent::Refused, std::nullopt,
                fmt::format("{} does not consent: there is no record v=DMARC1 at {}", destination.host, name)};
    if (!rua) return {Consent::Given, std::nullopt, ""};
    for (auto& other : parse_rua(*rua)) {
        if (other.host == destination.host && other.scheme == destination.scheme)
            return {Consent::Given, std::move(other), ""};
        // RFC 9990, 4: neither to this one nor to that.
        return {Consent::Refused, std::nullopt, fmt::format("{} points to another host: {}", name, other.address)};
    }
    return {Consent::Refused, std::nullopt, fmt::format("the rua at {} names no address", name)};
}

std::optional<std::string> parse_tls_record(std::string_view record) {
    bool is_record = false;
    auto rua = tag_of(record, "TLSRPTv1", "rua", is_record);
    if (!is_record || !rua || rua->empty()) return std::nullopt;
    return rua;
}

TlsWanted find_tls_destinations(mailauth::DnsSource& dns, std::string_view domain) {
    TlsWanted out;
    const std::string name = fmt::format("_smtp._tls.{}", domain);
    const auto lookup = dns.txt(name);
    if (lookup.outcome == mailauth::Outcome::TempError) {
        out.unknown = true;
        out.why = fmt::format("no answer for {}: {}", name, lookup.error);
        return out;
    }
    std::vector<std::string> found;
    for (const auto& record : lookup.records) {
        bool is_record = false;
        (void)tag_of(record, "TLSRPTv1", "rua", is_record);
        if (is_record) found.push_back(record);
    }
    // RFC 8460, 3: more than one is none.
    if (found.size() != 1) {
        out.why = found.empty() ? fmt::format("no record v=TLSRPTv1 at {}", name)
                                : fmt::format("{} records v=TLSRPTv1 at {}", found.size(), name);
        return out;
    }
    if (const auto rua = parse_tls_record(found[0])) out.destinations = parse_rua(*rua);
    if (out.destinations.empty()) out.why = fmt::format("the record at {} names no address", name);
    return out;
}

}  // namespace gk::reports
