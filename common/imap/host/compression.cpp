// SPDX-License-Identifier: MIT
#include "common/imap/host/compression.hpp"

#include <zlib.h>

namespace gk::imap {

namespace {

// zlib's defaults take 256 KB for the way out. A window of 8 KB and a quarter of the hash table take 64 KB, for a few
// percent more on the wire. The way in must allow for the client's window, which may be 32 KB.
constexpr int kLevel = 1, kWindowOut = -13, kMemory = 6, kWindowIn = -15;

Bytef* bytes_of(std::string_view bytes) {  // zlib does not write to its input, but does not say so
    return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

struct Compression::Streams {
    z_stream out{}, in{};
    std::string wire;  // fed, unread from at on
    std::size_t at = 0;
    bool more = false;   // the last piece filled its room: there may be more without further input
    bool ended = false;  // the client closed its stream
    bool out_begun = false, in_begun = false;
};

Compression::Compression() : streams_(std::make_unique<Streams>()) {}

Compression::~Compression() {
    if (streams_->out_begun) ::deflateEnd(&streams_->out);
    if (streams_->in_begun) ::inflateEnd(&streams_->in);
}

Result<std::unique_ptr<Compression>> Compression::begin() {
    std::unique_ptr<Compression> made(new Compression);
    Streams& s = *made->streams_;
    s.out_begun = ::deflateInit2(&s.out, kLevel, Z_DEFLATED, kWindowOut, kMemory, Z_DEFAULT_STRATEGY) == Z_OK;
    s.in_begun = ::inflateInit2(&s.in, kWindowIn) == Z_OK;
    if (!s.out_begun || !s.in_begun) return fail(Errc::Temporary, "no memory for compression");
    return made;
}

void Compression::compress(std::string_view plain, bool flush, std::string& out) {
    z_stream& z = streams_->out;
    z.next_in = bytes_of(plain);
    z.avail_in = static_cast<uInt>(plain.size());
    char room[4096];
    do {
        z.next_out = reinterpret_cast<Bytef*>(room);
        z.avail_out = sizeof room;
        ::deflate(&z, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        out.append(room, sizeof room - z.avail_out);
    } while (z.avail_out == 0);
}

void Compression::feed(std::string_view wire) {
    streams_->wire.erase(0, std::exchange(streams_->at, 0));
    streams_->wire += wire;
}

Result<std::string> Compression::next(std::size_t limit) {
    Streams& s = *streams_;
    std::string plain;
    if ((s.at == s.wire.size() && !s.more) || s.ended) return plain;
    plain.resize(limit);
    s.in.next_in = bytes_of(std::string_view(s.wire).substr(s.at));
    s.in.avail_in = static_cast<uInt>(s.wire.size() - s.at);
    s.in.next_out = reinterpret_cast<Bytef*>(plain.data());
    s.in.avail_out = static_cast<uInt>(limit);
    const int code = ::inflate(&s.in, Z_SYNC_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        return fail(Errc::BadInput, "the client's compressed data are damaged");
    s.ended = code == Z_STREAM_END;
    s.at = s.wire.size() - s.in.avail_in;
    s.more = s.in.avail_out == 0;
    plain.resize(limit - s.in.avail_out);
    if (s.at == s.wire.size()) {
        s.wire = {};
        s.at = 0;
    }
    return plain;
}

}  // namespace gk::imap
