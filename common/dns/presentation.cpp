// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <utility>

#include "common/base/text.hpp"
#include "common/dns/resolver.hpp"

namespace gk::dns {
namespace {

constexpr std::array<std::pair<Type, std::string_view>, 13> kTypes = {{{Type::A, "A"},
                                                                       {Type::Ns, "NS"},
                                                                       {Type::Cname, "CNAME"},
                                                                       {Type::Soa, "SOA"},
                                                                       {Type::Ptr, "PTR"},
                                                                       {Type::Mx, "MX"},
                                                                       {Type::Txt, "TXT"},
                                                                       {Type::Aaaa, "AAAA"},
                                                                       {Type::Srv, "SRV"},
                                                                       {Type::Ds, "DS"},
                                                                       {Type::Dnskey, "DNSKEY"},
                                                                       {Type::Tlsa, "TLSA"},
                                                                       {Type::Caa, "CAA"}}};

// RDATA from its begin to its end; every step fails past the end.
class Reader {
public:
    explicit Reader(std::string_view rdata) : rdata_(rdata) {}

    Result<std::uint32_t> number(std::size_t octets) {
        if (rdata_.size() - at_ < octets) return fail(Errc::BadInput, "record is cut short");
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < octets; ++i) value = value << 8 | static_cast<unsigned char>(rdata_[at_++]);
        return value;
    }
    Result<std::string> name() {
        GK_TRY(std::string name, parse_name(rdata_, at_));
        return name + '.';
    }
    std::string_view rest() { return rdata_.substr(std::exchange(at_, rdata_.size())); }
    Status end() const {
        if (at_ != rdata_.size()) return fail(Errc::BadInput, "record has octets past its end");
        return ok();
    }

private:
    std::string_view rdata_;
    std::size_t at_ = 0;
};

Result<std::string> address(int family, std::size_t size, std::string_view rdata) {
    char buffer[INET6_ADDRSTRLEN];
    if (rdata.size() != size || !inet_ntop(family, rdata.data(), buffer, sizeof buffer))
        return fail(Errc::BadInput, "address record of a wrong size");
    return std::string(buffer);
}

Result<std::string> soa(Reader& reader) {
    GK_TRY(std::string out, reader.name());
    GK_TRY(const std::string mailbox, reader.name());
    out += ' ' + mailbox;
    for (int i = 0; i < 5; ++i) {
        GK_TRY(const auto number, reader.number(4));
        out += fmt::format(" {}", number);
    }
    return out;
}

// Numbers of the given sizes, then a name.
Result<std::string> numbers_and_name(Reader& reader, unsigned count) {
    std::string out;
    for (unsigned i = 0; i < count; ++i) {
        GK_TRY(const auto number, reader.number(2));
        out += fmt::format("{} ", number);
    }
    GK_TRY(const std::string name, reader.name());
    return out + name;
}

// RFC 8659, 4.1: flags, tag, and a value that is the rest.
Result<std::string> caa(Reader& reader) {
    GK_TRY(const auto flags, reader.number(1));
    GK_TRY(const auto length, reader.number(1));
    const std::string_view rest = reader.rest();
    if (length == 0 || rest.size() < length) return fail(Errc::BadInput, "CAA record with a bad tag");
    std::string out = fmt::format("{} {} \"", flags, text::printable(rest.substr(0, length)));
    for (const char c : rest.substr(length)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') out += '\\', out += c;
        else if (byte < ' ' || byte >= 127) out += fmt::format("\\{:03}", byte);
        else out += c;
    }
    return out + '"';
}

// Two or three small numbers, then octets.
Result<std::string> numbers_and_octets(Reader& reader, std::initializer_list<std::size_t> sizes, bool base64) {
    std::string out;
    for (const std::size_t size : sizes) {
        GK_TRY(const auto number, reader.number(size));
        out += fmt::format("{} ", number);
    }
    return out + (base64 ? text::to_base64(reader.rest()) : text::to_hex(reader.rest()));
}

Result<std::string> format(Type type, std::string_view rdata, Reader& reader) {
    switch (type) {
        case Type::A: reader.rest(); return address(AF_INET, 4, rdata);
        case Type::Aaaa: reader.rest(); return address(AF_INET6, 16, rdata);
        case Type::Ns:
        case Type::Cname:
        case Type::Ptr: return reader.name();
        case Type::Soa: return soa(reader);
        case Type::Mx: return numbers_and_name(reader, 1);
        case Type::Srv: return numbers_and_name(reader, 3);
        case Type::Txt: return parse_txt(reader.rest());
        case Type::Ds: return numbers_and_octets(reader, {2, 1, 1}, false);
        case Type::Dnskey: return numbers_and_octets(reader, {2, 1, 1}, true);
        case Type::Tlsa: return numbers_and_octets(reader, {1, 1, 1}, false);
        case Type::Caa: return caa(reader);
    }
    return fail(Errc::Unsupported, "record of an unknown type");
}

}  // namespace

std::string_view type_name(Type type) noexcept {
    for (const auto& [each, name] : kTypes)
        if (each == type) return name;
    return "";
}

std::optional<Type> type_named(std::string_view name) noexcept {
    for (const auto& [type, each] : kTypes)
        if (text::equals_nocase(each, name)) return type;
    return std::nullopt;
}

Result<std::string> format_rdata(Type type, std::string_view rdata) {
    Reader reader(rdata);
    GK_TRY(std::string out, format(type, rdata, reader));
    GK_CHECK(reader.end());
    return out;
}

}  // namespace gk::dns
