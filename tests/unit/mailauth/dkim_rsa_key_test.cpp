// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/rsa_key.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/mailauth/dkim_fixture.hpp"

namespace gk::mailauth {
namespace {

const std::string kDigest(32, 'd');
const std::string kInfo("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20", 19);

// With the exponent 1 a signature is what it encodes, so that every encoding can be tried.
struct Plain {
    std::string modulus = std::string(128, '\xff'), exponent = "\x01";
    std::shared_ptr<const RsaPublicKey> key = RsaPublicKey::create({modulus, exponent});

    static std::string encoded(std::size_t length = 128) {
        return std::string("\0\x01", 2) + std::string(length - 54, '\xff') + '\0' + kInfo + kDigest;
    }
};

TEST(DkimRsaKey, VerifiesWhatOpenSslSigns) {
    const std::string octets = dkim::keys().rsa.public_octets();
    const auto key = RsaPublicKey::create(*read_rsa_numbers(octets));
    ASSERT_TRUE(key);
    EXPECT_EQ(key->bits(), dkim::keys().rsa.bits());
    std::string signature = dkim::keys().rsa.sign(kDigest).value();
    EXPECT_TRUE(key->verifies_sha256(kDigest, signature));
    EXPECT_FALSE(key->verifies_sha256(std::string(32, 'e'), signature));
    signature[50] = static_cast<char>(signature[50] ^ 1);
    EXPECT_FALSE(key->verifies_sha256(kDigest, signature));
}

TEST(DkimRsaKey, AcceptsTheOneEncodingAndNothingNearIt) {
    const Plain plain;
    ASSERT_TRUE(plain.key);
    ASSERT_TRUE(plain.key->verifies_sha256(kDigest, Plain::encoded()));
    for (std::size_t i = 0; i < 128; ++i) {
        std::string other = Plain::encoded();
        other[i] = static_cast<char>(other[i] ^ 0x01);
        EXPECT_FALSE(plain.key->verifies_sha256(kDigest, other)) << i;
    }
    // What follows the digest would be the forger's to choose, were the padding allowed to be short.
    std::string forged = std::string("\0\x01", 2) + std::string(8, '\xff') + '\0' + kInfo + kDigest;
    forged.resize(128, 'x');
    EXPECT_FALSE(plain.key->verifies_sha256(kDigest, forged));
}

TEST(DkimRsaKey, RefusesSignaturesAndDigestsOfAnotherLength) {
    const Plain plain;
    const std::string good = Plain::encoded();
    for (const std::string& signature : {std::string(), good.substr(1), '\0' + good, good + '\0', plain.modulus})
        EXPECT_FALSE(plain.key->verifies_sha256(kDigest, signature)) << signature.size();
    EXPECT_FALSE(plain.key->verifies_sha256("", good));
    EXPECT_FALSE(plain.key->verifies_sha256(kDigest.substr(1), good));
}

TEST(DkimRsaKey, RefusesNumbersThatAreNoKeyAndKeysTooShortForADigest) {
    const std::string even = std::string(127, '\xff') + '\xfe', one = "\x01", odd(128, '\xff');
    EXPECT_FALSE(RsaPublicKey::create({even, one}));
    EXPECT_FALSE(RsaPublicKey::create({"", one}));
    EXPECT_FALSE(RsaPublicKey::create({odd, ""}));
    for (const std::size_t length : {1u, 2u, 32u, 61u}) {
        const std::string modulus(length, '\xff');
        const auto key = RsaPublicKey::create({modulus, one});
        EXPECT_FALSE(key && key->verifies_sha256(kDigest, std::string(length, '\1'))) << length;
    }
    const std::string least(62, '\xff');
    const auto key = RsaPublicKey::create({least, one});
    ASSERT_TRUE(key);
    EXPECT_TRUE(key->verifies_sha256(kDigest, Plain::encoded(62)));
}

}  // namespace
}  // namespace gk::mailauth
