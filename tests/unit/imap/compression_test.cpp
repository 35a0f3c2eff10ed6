// SPDX-License-Identifier: MIT
#include "common/imap/host/compression.hpp"

#include <gtest/gtest.h>

#include "common/base/ids.hpp"

namespace gk::imap {
namespace {

// What RECEIVER makes of WIRE, taken in pieces of LIMIT.
std::string inflated(Compression& receiver, std::string_view wire, std::size_t limit) {
    receiver.feed(wire);
    std::string plain;
    for (;;) {
        const auto piece = receiver.next(limit);
        EXPECT_TRUE(piece);
        if (!piece || piece->empty()) return plain;
        EXPECT_LE(piece->size(), limit);
        plain += *piece;
    }
}

TEST(ImapCompression, SaysAtOnceWhatWasFlushed) {
    auto sender = Compression::begin().value(), receiver = Compression::begin().value();
    const std::string random = random_bytes(100'000);
    for (const std::string& said :
         {std::string("* OK\r\n"), std::string(), random, std::string(200'000, 'x'), std::string("a NOOP\r\n")}) {
        std::string wire;
        sender->compress(said.substr(0, said.size() / 2), false, wire);
        sender->compress(said.substr(said.size() / 2), true, wire);
        EXPECT_EQ(inflated(*receiver, wire, 1000), said);
    }
}

TEST(ImapCompression, DoesNotDependOnHowTheWireIsSplit) {
    auto sender = Compression::begin().value(), receiver = Compression::begin().value();
    const std::string said = random_bytes(500) + std::string(3000, 'y');
    std::string wire, heard;
    sender->compress(said, true, wire);
    for (const char byte : wire) heard += inflated(*receiver, {&byte, 1}, 7);
    EXPECT_EQ(heard, said);
}

TEST(ImapCompression, GivesABombInPiecesThatTheCallerBounds) {
    auto sender = Compression::begin().value(), receiver = Compression::begin().value();
    std::string wire;
    for (int i = 0; i < 64; ++i) sender->compress(std::string(1 << 20, '\0'), i == 63, wire);
    EXPECT_LT(wire.size(), 400'000u);
    receiver->feed(wire);
    std::size_t total = 0;
    for (;;) {
        const auto piece = receiver->next(16 * 1024);
        ASSERT_TRUE(piece);
        if (piece->empty()) break;
        ASSERT_LE(piece->size(), 16u * 1024);
        total += piece->size();
    }
    EXPECT_EQ(total, 64u << 20);
}

TEST(ImapCompression, RefusesWhatIsNotDeflate) {
    auto receiver = Compression::begin().value();
    receiver->feed("a NOOP\r\nb NOOP\r\n");
    auto piece = receiver->next(1000);
    while (piece && !piece->empty()) piece = receiver->next(1000);
    EXPECT_FALSE(piece);
}

}  // namespace
}  // namespace gk::imap
