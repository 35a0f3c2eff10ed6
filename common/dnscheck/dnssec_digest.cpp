// SPDX-License-Identifier: MIT
#include <openssl/evp.h>

#include "common/base/text.hpp"
#include "common/dnscheck/records.hpp"

namespace gk::dnscheck {
namespace {

// DNSKEY data as text to its RDATA.
std::optional<std::string> dnskey_octets(std::string_view data) {
    const auto words = text::words(data);
    if (words.size() < 4) return std::nullopt;
    const auto flags = text::to_uint(words[0]), protocol = text::to_uint(words[1]), algorithm = text::to_uint(words[2]);
    if (!flags || *flags > 65535 || !protocol || *protocol > 255 || !algorithm || *algorithm > 255) return std::nullopt;
    std::string base64;
    for (std::size_t i = 3; i < words.size(); ++i) base64 += words[i];
    const auto key = text::from_base64(base64);
    if (!key) return std::nullopt;
    std::string out{static_cast<char>(*flags >> 8), static_cast<char>(*flags & 255), static_cast<char>(*protocol),
                    static_cast<char>(*algorithm)};
    return out + *key;
}

std::string wire_name(std::string_view name) {
    std::string out;
    if (!name.empty())
        for (const auto label : text::split(name, '.')) {
            out += static_cast<char>(label.size());
            out += label;
        }
    return out + '\0';
}

}  // namespace

std::optional<unsigned> key_tag(std::string_view dnskey) {
    const auto octets = dnskey_octets(dnskey);
    if (!octets) return std::nullopt;
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < octets->size(); ++i) {
        const auto byte = static_cast<unsigned char>((*octets)[i]);
        sum += i % 2 == 1 ? byte : static_cast<std::uint32_t>(byte) << 8;
    }
    return (sum + (sum >> 16 & 0xffff)) & 0xffff;
}

std::string ds_digest(std::string_view owner, std::string_view dnskey, unsigned digest_type) {
    const EVP_MD* digest = digest_type == 1   ? EVP_sha1()
                           : digest_type == 2 ? EVP_sha256()
                           : digest_type == 4 ? EVP_sha384()
                                              : nullptr;
    const auto octets = dnskey_octets(dnskey);
    if (digest == nullptr || !octets) return {};
    const std::string input = wire_name(without_dot(owner)) + *octets;
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(input.data(), input.size(), out, &size, digest, nullptr) != 1) return {};
    return std::string(reinterpret_cast<const char*>(out), size);
}

}  // namespace gk::dnscheck
