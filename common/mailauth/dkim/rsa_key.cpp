// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/rsa_key.hpp"

#include <openssl/bn.h>
#include <openssl/err.h>

#include <cstddef>
#include <string>

namespace gk::mailauth {
namespace {

using namespace std::string_view_literals;

// DigestInfo for SHA-256 in DER, up to the digest (RFC 8017, 9.2, note 1).
constexpr std::string_view kSha256Info =
    "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"sv;

using Context = std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)>;
const unsigned char* octets_of(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }
int size_of(std::string_view s) { return static_cast<int>(s.size()); }

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

struct RsaPublicKey::Numbers {
    std::unique_ptr<BIGNUM, decltype(&BN_free)> modulus{nullptr, BN_free}, exponent{nullptr, BN_free};
    std::unique_ptr<BN_MONT_CTX, decltype(&BN_MONT_CTX_free)> prepared{nullptr, BN_MONT_CTX_free};
};

RsaPublicKey::~RsaPublicKey() = default;

std::shared_ptr<const RsaPublicKey> RsaPublicKey::create(const RsaNumbers& numbers) {
    const auto number = [](std::string_view octets) { return BN_bin2bn(octets_of(octets), size_of(octets), nullptr); };
    const std::shared_ptr<RsaPublicKey> key(new RsaPublicKey);
    key->numbers_ = std::make_unique<Numbers>();
    Numbers& n = *key->numbers_;
    n.modulus.reset(number(numbers.modulus));
    n.exponent.reset(number(numbers.exponent));
    n.prepared.reset(BN_MONT_CTX_new());
    const Context context(BN_CTX_new(), BN_CTX_free);
    // An even modulus has no Montgomery form, and no two odd primes either.
    const bool good = n.modulus && n.exponent && n.prepared && context && BN_is_odd(n.modulus.get()) &&
                      !BN_is_zero(n.exponent.get()) &&
                      BN_MONT_CTX_set(n.prepared.get(), n.modulus.get(), context.get()) == 1;
    ERR_clear_error();
    if (!good) return nullptr;
    key->bits_ = static_cast<unsigned>(BN_num_bits(n.modulus.get()));
    return key;
}

bool RsaPublicKey::verifies_sha256(std::string_view digest, std::string_view signature) const {
    const Numbers& n = *numbers_;
    const std::size_t length = (bits_ + 7) / 8;
    // 9.2: 00 01, at least eight FF, 00, and what names the digest before it.
    const std::size_t tail = kSha256Info.size() + digest.size();
    if (digest.size() != 32 || signature.size() != length || length < tail + 11) return false;
    std::string expected(length, '\xff');
    expected[0] = '\0';
    expected[1] = '\1';
    expected[length - tail - 1] = '\0';
    expected.replace(length - tail, kSha256Info.size(), kSha256Info);
    expected.replace(length - digest.size(), digest.size(), digest);

    const std::unique_ptr<BIGNUM, decltype(&BN_free)> value(
        BN_bin2bn(octets_of(signature), size_of(signature), nullptr), BN_free);
    const Context context(BN_CTX_new(), BN_CTX_free);
    std::string found(length, '\0');
    const bool same = value && context && BN_ucmp(value.get(), n.modulus.get()) < 0 &&
                      BN_mod_exp_mont(value.get(), value.get(), n.exponent.get(), n.modulus.get(), context.get(),
                                      n.prepared.get()) == 1 &&
                      BN_bn2binpad(value.get(), reinterpret_cast<unsigned char*>(found.data()),
                                   static_cast<int>(length)) == static_cast<int>(length) &&
                      found == expected;
    ERR_clear_error();
    return same;
}

}  // namespace gk::mailauth
