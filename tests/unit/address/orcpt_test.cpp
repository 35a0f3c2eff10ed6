// SPDX-License-Identifier: MIT
#include "common/address/orcpt.hpp"

namespace gk::address {
namespace {

TEST(Xtext, EncodesWhatRfc3461ReservesAndComesBack) {
    EXPECT_EQ(encode_xtext("ann+x=y z@a.test"), "ann+2Bx+3Dy+20z@a.test");
    for (const std::string bytes : {"", "ann+ab@a.test", "\r\n", "j\xC3\xBCrgen", "+"})
        EXPECT_EQ(decode_xtext(encode_xtext(bytes)), bytes);
    EXPECT_EQ(decode_xtext("a+zz+4"), "a+zz+4");
}

TEST(Orcpt, HasSevenBitsAlsoForInternationalizedAddresses) {
    EXPECT_EQ(make_orcpt("ann+ab@a.test"), "rfc822;ann+2Bab@a.test");
    EXPECT_EQ(make_orcpt("j\xC3\xBCrgen+x@b.test"), "utf-8;j\\x{FC}rgen\\x{2B}x@b.test");
    EXPECT_EQ(orcpt_in_ascii("utf-8;j\xC3\xBCrg\\x{2B}n@b.test"), "utf-8;j\\x{FC}rg\\x{2B}n@b.test");
    EXPECT_EQ(orcpt_in_ascii("rfc822;Bob+2Bx@b.test"), "rfc822;Bob+2Bx@b.test");
    for (const std::string address : {"j\xC3\xBCrgen+x@b.test", "\xF0\x9F\x93\xAC@b.test", "\xE2\x82\xAC@b.test"})
        EXPECT_EQ(parse_orcpt(make_orcpt(address)).address, address);
}

TEST(Orcpt, IsReadByItsType) {
    EXPECT_EQ(parse_orcpt("RFC822;Bob+2Bx@b.test").address, "Bob+x@b.test");
    EXPECT_EQ(parse_orcpt("utf-8;a+2Bb\\x{e9}\\x{D800}\\x{zz}@b").address, "a+2Bb\xC3\xA9\\x{D800}\\x{zz}@b");
    EXPECT_EQ(parse_orcpt("nothing").type, "");
    EXPECT_EQ(parse_orcpt(";x").type, "");
}

}  // namespace
}  // namespace gk::address
