// SPDX-License-Identifier: MIT
#include "common/imap/host/compression.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

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
    // As a hostile client makes it, as small as it can be.
    const std::string zeros(64u << 20, '\0');
    std::string wire(1 << 20, '\0');
    z_stream bomb{};
    ASSERT_EQ(deflateInit2(&bomb, Z_BEST_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    bomb.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(zeros.data()));
    bomb.avail_in = static_cast<uInt>(zeros.size());
    bomb.next_out = reinterpret_cast<Bytef*>(wire.data());
    bomb.avail_out = static_cast<uInt>(wire.size());
    ASSERT_EQ(deflate(&bomb, Z_SYNC_FLUSH), Z_OK);
    wire.resize(bomb.total_out);
    deflateEnd(&bomb);
    EXPECT_LT(wire.size(), 100'000u);
    auto receiver = Compression::begin().value();
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
