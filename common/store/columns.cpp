// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/store/mailbox.hpp"
#include "common/store/pack.hpp"
#include "common/store/state.hpp"

// What sorts and searches want of every message, of kPiece UIDs in one value: (UID, length, bytes) each. A message
// never changes, so nothing but its mailbox's end makes a value untrue; those of expunged messages just stay. Nothing
// of this is written when mail arrives, but by who asks first.
namespace gk::store {

namespace {

constexpr unsigned kPieceBits = 10, kColumnShift = 32 - kPieceBits;  // the column's number is in the bits above
constexpr std::size_t kPiecesAtOnce = 8;                             // made in one transaction

std::int64_t piece_key(std::int64_t mailbox, unsigned column, Uid uid) {
    return mailbox << 32 | static_cast<std::int64_t>(column) << kColumnShift | uid >> kPieceBits;
}

using Values = std::vector<std::pair<Uid, std::string>>;

void append_value(std::string& pieces, Uid& last, Uid uid, std::string_view value) {
    pack_number(pieces, uid - last);
    pack_number(pieces, value.size());
    pieces += value;
    last = uid;
}

template <class Take>
bool each_value(std::string_view pieces, Take take) {
    Unpacker in(pieces);
    for (Uid uid = 0; !in.done();) {
        uid += static_cast<Uid>(in.number());
        const auto value = in.bytes(in.number());
        if (!in.good()) return false;
        take(uid, value);
    }
    return in.good();
}

// OLD with those of MORE that it has not, both sorted.
std::string merged(std::string_view old, const Values& more) {
    std::string out;
    Uid last = 0;
    auto at = more.begin();
    each_value(old, [&](Uid uid, std::string_view value) {
        for (; at != more.end() && at->first < uid; ++at) append_value(out, last, at->first, at->second);
        if (at != more.end() && at->first == uid) ++at;
        append_value(out, last, uid, value);
    });
    for (; at != more.end(); ++at) append_value(out, last, at->first, at->second);
    return out;
}

Result<std::string> read_piece(State& state, std::int64_t key, std::uint8_t version) {
    GK_TRY(auto query, state.index.prepare("SELECT pieces FROM columns WHERE key = ? AND version = ?"));
    GK_TRY(const bool row, query.bind(key).bind(std::int64_t{version}).step());
    std::string found(row ? query.text(0) : std::string_view());
    if (row) query.reset();
    return found;
}

// The UIDs that lie in one value.
struct Piece {
    std::int64_t key = 0;
    std::span<const Uid> uids;
    std::string bytes;
    Values made;
};

std::vector<Piece> read_pieces(State& state, std::int64_t mailbox, const Mailbox::Column& column,
                               std::span<const Uid>& rest, Status& done) {
    std::vector<Piece> pieces;
    while (!rest.empty() && pieces.size() < kPiecesAtOnce) {
        const auto end = std::find_if(rest.begin(), rest.end(),
                                      [&](Uid uid) { return uid >> kPieceBits != rest.front() >> kPieceBits; });
        const auto count = static_cast<std::size_t>(end - rest.begin());
        Piece& piece = pieces.emplace_back();
        piece.key = piece_key(mailbox, column.number, rest.front());
        piece.uids = rest.first(count);
        auto bytes = read_piece(state, piece.key, column.version);
        if (!bytes) {
            done = fail(bytes.error());
            return {};
        }
        // What cannot be read is made again.
        if (each_value(*bytes, [](Uid, std::string_view) {})) piece.bytes = std::move(*bytes);
        rest = rest.subspan(count);
    }
    return pieces;
}

std::vector<Uid> missing_from(const std::vector<Piece>& pieces) {
    std::vector<Uid> missing;
    for (const Piece& piece : pieces) {
        auto at = piece.uids.begin();
        each_value(piece.bytes, [&](Uid uid, std::string_view) {
            for (; at != piece.uids.end() && *at < uid; ++at) missing.push_back(*at);
            if (at != piece.uids.end() && *at == uid) ++at;
        });
        missing.insert(missing.end(), at, piece.uids.end());
    }
    return missing;
}

void keep_pieces(State& state, std::int64_t mailbox, std::uint32_t uidvalidity, std::uint8_t version,
                 const std::vector<Piece>& pieces) {
    const Locked lock(state);
    without_waiting(state, [&]() -> Status {
        GK_TRY(auto transaction, WriteTransaction::begin(state));
        if (const auto record = get_record(state, mailbox, uidvalidity); !record) return fail(record.error());
        GK_TRY(auto insert,
               state.index.prepare("INSERT OR REPLACE INTO columns(key, version, pieces) VALUES(?, ?, ?)"));
        for (const Piece& piece : pieces)
            if (!piece.made.empty())
                GK_CHECK(insert.bind(piece.key).bind(std::int64_t{version}).bind_blob(piece.bytes).run());
        return transaction.commit();
    });
}

}  // namespace

Status Mailbox::column(const Column& column, std::span<const Uid> uids,
                       const std::function<void(Uid, std::optional<std::string_view>)>& sink) {
    State& state = account_->state();
    while (!uids.empty()) {
        std::vector<Piece> pieces;
        Status done = ok();
        {
            const Locked lock(state);
            pieces = read_pieces(state, number_, column, uids, done);
        }
        GK_CHECK(done);
        if (const auto missing = missing_from(pieces); !missing.empty()) {
            auto piece = pieces.begin();
            GK_CHECK(envelopes(
                missing,
                [&](Uid uid, const message::Envelope* envelope) {
                    while (piece->uids.back() < uid) ++piece;
                    if (envelope != nullptr) piece->made.emplace_back(uid, column.make(*envelope));
                    return true;
                },
                column.fields));
            for (Piece& one : pieces)
                if (!one.made.empty()) one.bytes = merged(one.bytes, one.made);
            keep_pieces(state, number_, uidvalidity_, column.version, pieces);
        }
        for (const Piece& piece : pieces) {
            auto at = piece.uids.begin();
            each_value(piece.bytes, [&](Uid uid, std::string_view value) {
                for (; at != piece.uids.end() && *at < uid; ++at) sink(*at, std::nullopt);
                if (at != piece.uids.end() && *at == uid) sink(*at++, value);
            });
            for (; at != piece.uids.end(); ++at) sink(*at, std::nullopt);
        }
    }
    return ok();
}

}  // namespace gk::store
