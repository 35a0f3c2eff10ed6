// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/rsa_key.hpp"

#include <cstddef>
#include <string>

namespace gk::mailauth {
namespace {

constexpr char kInteger = 0x02, kBitString = 0x03, kSequence = 0x30;
constexpr std::string_view kRsaEncryption("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 11);  // 1.2.840.113549.1.1.1

// The contents of the element at the begin of REST, which moves behind it; nothing where it is of another tag or does
// not end within REST.
std::optional<std::string_view> take(std::string_view& rest, char tag) noexcept {
    if (rest.size() < 2 || rest[0] != tag) return std::nullopt;
    std::size_t length = static_cast<unsigned char>(rest[1]), at = 2;
    if (length >= 0x80) {
        const std::size_t octets = length & 0x7f;
        if (octets == 0 || octets > 3 || rest.size() < 2 + octets) return std::nullopt;
        for (length = 0; at < 2 + octets; ++at) length = length << 8 | static_cast<unsigned char>(rest[at]);
    }
    if (rest.size() - at < length) return std::nullopt;
    const auto contents = rest.substr(at, length);
    rest.remove_prefix(at + length);
    return contents;
}

std::optional<std::string_view> take_number(std::string_view& rest) noexcept {
    auto number = take(rest, kInteger);
    if (!number || number->empty() || static_cast<unsigned char>(number->front()) >= 0x80) return std::nullopt;
    while (!number->empty() && number->front() == '\0') number->remove_prefix(1);
    if (number->empty()) return std::nullopt;
    return number;
}

std::optional<RsaNumbers> read_numbers(std::string_view sequence) noexcept {
    const auto modulus = take_number(sequence);
    if (!modulus) return std::nullopt;
    const auto exponent = take_number(sequence);
    if (!exponent || !sequence.empty()) return std::nullopt;
    return RsaNumbers{*modulus, *exponent};
}

}  // namespace

std::optional<RsaNumbers> read_rsa_numbers(std::string_view der) noexcept {
    auto outer = take(der, kSequence);
    if (!outer || !der.empty() || outer->empty()) return std::nullopt;
    if (outer->front() == kInteger) return read_numbers(*outer);
    const auto algorithm = take(*outer, kSequence);
    if (!algorithm || !algorithm->starts_with(kRsaEncryption)) return std::nullopt;
    auto bits = take(*outer, kBitString);
    if (!bits || bits->empty() || bits->front() != '\0') return std::nullopt;
    bits->remove_prefix(1);
    const auto inner = take(*bits, kSequence);
    if (!inner) return std::nullopt;
    return read_numbers(*inner);
}

}  // namespace gk::mailauth
