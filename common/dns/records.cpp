// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/dns/resolver.hpp"

namespace gk::dns {

Result<std::string> parse_name(std::string_view rdata, std::size_t& offset) {
    std::string name;
    for (;;) {
        if (offset >= rdata.size()) return fail(Errc::BadInput, "domain name is cut short");
        const auto length = static_cast<unsigned char>(rdata[offset++]);
        if (length == 0) return name;
        if (length > 63 || offset + length > rdata.size()) return fail(Errc::BadInput, "domain name with a bad label");
        if (!name.empty()) name += '.';
        for (const char c : rdata.substr(offset, length)) {
            const auto byte = static_cast<unsigned char>(c);
            if (c == '.' || c == '\\') name += '\\', name += c;
            else if (byte <= ' ' || byte >= 127) name += fmt::format("\\{:03}", byte);
            else name += text::to_lower(c);
        }
        offset += length;
        if (name.size() > 1024) return fail(Errc::BadInput, "domain name is too long");
    }
}

Result<Mx> parse_mx(std::string_view rdata) {
    if (rdata.size() < 3) return fail(Errc::BadInput, "MX record is cut short");
    Mx mx;
    mx.preference =
        static_cast<std::uint16_t>(static_cast<unsigned char>(rdata[0]) << 8 | static_cast<unsigned char>(rdata[1]));
    std::size_t offset = 2;
    GK_TRY(mx.host, parse_name(rdata, offset));
    return mx;
}

Result<std::string> parse_txt(std::string_view rdata) {
    std::string joined;
    for (std::size_t at = 0; at < rdata.size();) {
        const auto length = static_cast<unsigned char>(rdata[at++]);
        if (at + length > rdata.size()) return fail(Errc::BadInput, "TXT record is cut short");
        joined += rdata.substr(at, length);
        at += length;
    }
    return joined;
}

Result<Tlsa> parse_tlsa(std::string_view rdata) {
    if (rdata.size() < 4) return fail(Errc::BadInput, "TLSA record is cut short");
    return Tlsa{static_cast<std::uint8_t>(rdata[0]), static_cast<std::uint8_t>(rdata[1]),
                static_cast<std::uint8_t>(rdata[2]), std::string(rdata.substr(3))};
}

Result<std::string> reverse_name(std::string_view ip) {
    const std::string literal(ip);
    unsigned char bytes[16];
    if (inet_pton(AF_INET, literal.c_str(), bytes) == 1)
        return fmt::format("{}.{}.{}.{}.in-addr.arpa", bytes[3], bytes[2], bytes[1], bytes[0]);
    if (inet_pton(AF_INET6, literal.c_str(), bytes) != 1)
        return fail(Errc::BadInput, fmt::format("'{}' is not an IP address", text::printable(ip, 60)));
    std::string name;
    for (int i = 15; i >= 0; --i) name += fmt::format("{:x}.{:x}.", bytes[i] & 15, bytes[i] >> 4);
    return name + "ip6.arpa";
}

}  // namespace gk::dns
