// SPDX-License-Identifier: MIT
#include "common/dnscheck/records.hpp"

#include <fmt/format.h>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/mailauth/ip.hpp"

namespace gk::dnscheck {
namespace {

constexpr std::size_t kMaxString = 255;  // of a TXT record's strings (RFC 1035, 3.3)

std::string quoted(std::string_view bytes) {
    std::string out = "\"";
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') out += '\\', out += c;
        else if (byte < ' ' || byte >= 127) out += fmt::format("\\{:03}", byte);
        else out += c;
    }
    return out + '"';
}

// What a master file and nsupdate would take for something else inside of a name.
std::string escaped(std::string_view data) {
    std::string out;
    for (std::size_t i = 0; i < data.size(); ++i) {
        if (std::string_view(";()\"@$").find(data[i]) != std::string_view::npos && (i == 0 || data[i - 1] != '\\'))
            out += '\\';
        out += data[i];
    }
    return out;
}

std::optional<std::uint64_t> number(std::string_view word, std::uint64_t most) {
    const auto value = text::to_uint(word);
    return value && *value <= most ? value : std::nullopt;
}

// "N N N rest" with COUNT numbers; REST without blanks inside, which long hex may have.
std::optional<std::vector<unsigned>> numbers(const std::vector<std::string_view>& words, std::size_t count) {
    if (words.size() <= count) return std::nullopt;
    std::vector<unsigned> out;
    for (std::size_t i = 0; i < count; ++i) {
        const auto value = number(words[i], 65535);
        if (!value) return std::nullopt;
        out.push_back(static_cast<unsigned>(*value));
    }
    return out;
}

std::string joined(const std::vector<std::string_view>& words, std::size_t from) {
    std::string out;
    for (std::size_t i = from; i < words.size(); ++i) out += words[i];
    return out;
}

std::optional<std::string> canonical_numbers(std::string_view data, std::size_t count, bool name) {
    const auto words = text::words(data);
    const auto values = numbers(words, count);
    if (!values) return std::nullopt;
    std::string out;
    for (const unsigned value : *values) out += fmt::format("{} ", value);
    if (name) return words.size() == count + 1 ? std::optional(out + with_dot(words[count])) : std::nullopt;
    return out + joined(words, count);
}

std::optional<std::string> canonical_soa(std::string_view data) {
    const auto words = text::words(data);
    if (words.size() != 7) return std::nullopt;
    std::string out = with_dot(words[0]) + ' ' + with_dot(words[1]);
    for (std::size_t i = 2; i < 7; ++i) {
        const auto value = number(words[i], UINT32_MAX);
        if (!value) return std::nullopt;
        out += fmt::format(" {}", *value);
    }
    return out;
}

std::optional<std::string> canonical_hex(std::string_view data) {
    auto out = canonical_numbers(data, 3, false);
    if (!out) return out;
    const auto hex = out->substr(out->rfind(' ') + 1);
    if (!text::from_hex(hex)) return std::nullopt;
    return text::lower(*out);
}

std::optional<std::string> canonical_caa(std::string_view data) {
    const auto caa = read_caa(data);
    if (!caa) return std::nullopt;
    return fmt::format("{} {} {}", caa->flags, caa->tag, quoted(caa->value));
}

std::optional<std::string> canonical(dns::Type type, std::string_view data) {
    using dns::Type;
    switch (type) {
        case Type::Txt: return std::string(data);
        case Type::A:
        case Type::Aaaa: {
            const auto ip = mailauth::Ip::parse(data);
            if (!ip || ip->v6 != (type == Type::Aaaa)) return std::nullopt;
            return ip->text();
        }
        case Type::Ns:
        case Type::Cname:
        case Type::Ptr: return text::words(data).size() == 1 ? std::optional(with_dot(data)) : std::nullopt;
        case Type::Mx: return canonical_numbers(data, 1, true);
        case Type::Srv: return canonical_numbers(data, 3, true);
        case Type::Dnskey: return canonical_numbers(data, 3, false);
        case Type::Soa: return canonical_soa(data);
        case Type::Ds:
        case Type::Tlsa: return canonical_hex(data);
        case Type::Caa: return canonical_caa(data);
    }
    return std::nullopt;
}

}  // namespace

std::string_view op_name(Change::Op op) noexcept { return op == Change::Op::Add ? "add" : "delete"; }

std::string zone_data(const Record& record) {
    if (record.type == dns::Type::Caa) return record.data;
    if (record.type != dns::Type::Txt) return escaped(record.data);
    if (record.data.empty()) return "\"\"";
    std::string out;
    for (std::size_t at = 0; at < record.data.size(); at += kMaxString) {
        if (at > 0) out += ' ';
        out += quoted(std::string_view(record.data).substr(at, kMaxString));
    }
    return out;
}

std::string zone_name(std::string_view name) { return escaped(with_dot(name)); }

std::string zone_line(const Record& record) {
    return fmt::format("{} {} IN {} {}", zone_name(record.name), record.ttl_s, dns::type_name(record.type),
                       zone_data(record));
}

std::string change_json(const Change& change, std::string_view zone) {
    const Record& record = change.record;
    return fmt::format(R"({{"op":"{}","zone":{},"name":{},"type":"{}","ttl":{},"data":{}}})", op_name(change.op),
                       log::json_string(zone), log::json_string(record.name), dns::type_name(record.type), record.ttl_s,
                       log::json_string(record.data));
}

Result<std::string> canonical_data(dns::Type type, std::string_view data) {
    auto out = canonical(type, type == dns::Type::Txt ? data : text::trim(data));
    if (!out)
        return fail(Errc::BadInput,
                    fmt::format("'{}' is no {} record", text::printable(data, 100), dns::type_name(type)));
    return std::move(*out);
}

std::optional<Srv> read_srv(std::string_view data) {
    const auto words = text::words(data);
    const auto values = numbers(words, 3);
    if (!values || words.size() != 4) return std::nullopt;
    return Srv{(*values)[0], (*values)[1], (*values)[2], without_dot(words[3])};
}

std::optional<dns::Mx> read_mx(std::string_view data) {
    const auto words = text::words(data);
    const auto values = numbers(words, 1);
    if (!values || words.size() != 2) return std::nullopt;
    return dns::Mx{static_cast<std::uint16_t>((*values)[0]), without_dot(words[1])};
}

std::optional<Caa> read_caa(std::string_view data) {
    const auto first = data.find(' ');
    const auto second = first == std::string_view::npos ? first : data.find(' ', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const auto flags = number(data.substr(0, first), 255);
    if (!flags) return std::nullopt;
    Caa caa{static_cast<unsigned>(*flags), text::lower(data.substr(first + 1, second - first - 1)), {}};
    std::string_view value = text::trim(data.substr(second));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
        for (std::size_t i = 0; i < value.size(); ++i) {
            if (value[i] != '\\') {
                caa.value += value[i];
                continue;
            }
            const auto code = i + 3 < value.size() ? number(value.substr(i + 1, 3), 255) : std::nullopt;
            if (code) caa.value += static_cast<char>(*code), i += 3;
            else if (i + 1 < value.size()) caa.value += value[++i];
        }
    } else {
        caa.value = value;
    }
    if (caa.tag.empty()) return std::nullopt;
    return caa;
}

std::optional<Ds> read_ds(std::string_view data) {
    const auto words = text::words(data);
    const auto values = numbers(words, 3);
    if (!values) return std::nullopt;
    auto digest = text::from_hex(joined(words, 3));
    if (!digest) return std::nullopt;
    return Ds{(*values)[0], (*values)[1], (*values)[2], std::move(*digest)};
}

std::optional<dns::Tlsa> read_tlsa(std::string_view data) {
    const auto words = text::words(data);
    const auto values = numbers(words, 3);
    if (!values) return std::nullopt;
    auto octets = text::from_hex(joined(words, 3));
    if (!octets) return std::nullopt;
    return dns::Tlsa{static_cast<std::uint8_t>((*values)[0]), static_cast<std::uint8_t>((*values)[1]),
                     static_cast<std::uint8_t>((*values)[2]), std::move(*octets)};
}

std::string without_dot(std::string_view name) {
    name = text::trim(name);
    if (name.ends_with('.')) name.remove_suffix(1);
    return text::lower(name);
}

std::string with_dot(std::string_view name) { return without_dot(name) + '.'; }

}  // namespace gk::dnscheck
