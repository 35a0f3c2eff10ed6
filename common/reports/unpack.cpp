// SPDX-License-Identifier: MIT
#include "common/reports/unpack.hpp"

#include <fmt/format.h>
#include <zip.h>
#include <zlib.h>

#include "common/base/text.hpp"

namespace gk::reports {
namespace {

constexpr std::size_t kPiece = 64 * 1024;
// A zip archive of a report has one member; directories and what some archivers add beside it make a few.
constexpr zip_int64_t kMostMembers = 16;
// Below this, a ratio says nothing: short reports of many equal records pack well.
constexpr std::uint64_t kRatioFrom = 1u << 20;

// Counts what comes out, and stops at the limits.
class Bounded {
public:
    Bounded(std::uint64_t packed, const ParseLimits& limits, const Sink& sink)
        : packed_(packed), limits_(limits), sink_(sink) {}
    Status write(std::string_view piece) {
        total_ += piece.size();
        if (total_ > limits_.size)
            return fail(Errc::BadInput, fmt::format("the report is larger than {} when unpacked (reports.max_size)",
                                                    text::format_size(limits_.size)));
        if (total_ > kRatioFrom && total_ / std::max<std::uint64_t>(packed_, 1) > limits_.ratio)
            return fail(Errc::BadInput, fmt::format("the report unpacks to more than {} times its size "
                                                    "(reports.max_ratio)",
                                                    limits_.ratio));
        return sink_(piece);
    }

private:
    std::uint64_t packed_, total_ = 0;
    const ParseLimits& limits_;
    const Sink& sink_;
};

class Inflater {
public:
    Inflater() { ready_ = ::inflateInit2(&stream_, 15 + 16) == Z_OK; }  // + 16: gzip, nothing else
    ~Inflater() {
        if (ready_) ::inflateEnd(&stream_);
    }
    Inflater(const Inflater&) = delete;
    Status run(std::string_view bytes, Bounded& out) {
        if (!ready_) return fail(Errc::Temporary, "no memory to unpack a report");
        // zlib's interface is not const; it does not write to its input.
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        stream_.avail_in = static_cast<uInt>(bytes.size());
        std::string piece(kPiece, '\0');
        for (;;) {
            stream_.next_out = reinterpret_cast<Bytef*>(piece.data());
            stream_.avail_out = kPiece;
            const int result = ::inflate(&stream_, Z_NO_FLUSH);
            const std::size_t got = kPiece - stream_.avail_out;
            if (got > 0) GK_CHECK(out.write(std::string_view(piece).substr(0, got)));
            if (result == Z_STREAM_END) {
                // RFC 1952, 2.2: members may follow each other. Zero padding, as tape had it, ends the file.
                if (stream_.avail_in < 2 || stream_.next_in[0] != 0x1f) return ok();
                if (::inflateReset(&stream_) != Z_OK) return fail(Errc::BadInput, "the gzip file is damaged");
                continue;
            }
            if (result == Z_BUF_ERROR || (result == Z_OK && stream_.avail_in == 0 && got == 0))
                return fail(Errc::BadInput, "the gzip file is cut off");
            if (result != Z_OK) return fail(Errc::BadInput, "the gzip file is damaged");
        }
    }

private:
    z_stream stream_{};
    bool ready_ = false;
};

struct CloseZip {
    void operator()(zip_t* zip) const noexcept { ::zip_discard(zip); }
};
struct CloseMember {
    void operator()(zip_file_t* file) const noexcept { ::zip_fclose(file); }
};

Status unzip(std::string_view bytes, Bounded& out) {
    zip_error_t error;
    ::zip_error_init(&error);
    zip_source_t* const source = ::zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
    if (source == nullptr) return fail(Errc::Temporary, "no memory to unpack a report");
    const std::unique_ptr<zip_t, CloseZip> zip(::zip_open_from_source(source, ZIP_RDONLY, &error));
    if (!zip) {
        ::zip_source_free(source);
        return fail(Errc::BadInput, fmt::format("the zip archive is damaged: {}", ::zip_error_strerror(&error)));
    }
    const zip_int64_t members = ::zip_get_num_entries(zip.get(), 0);
    if (members > kMostMembers)
        return fail(Errc::BadInput, fmt::format("the zip archive has {} members; a report is one", members));
    zip_int64_t chosen = -1;
    for (zip_int64_t i = 0; i < members; ++i) {
        zip_stat_t status;
        ::zip_stat_init(&status);
        if (::zip_stat_index(zip.get(), static_cast<zip_uint64_t>(i), 0, &status) != 0 ||
            (status.valid & ZIP_STAT_NAME) == 0)
            return fail(Errc::BadInput, "the zip archive is damaged");
        const std::string_view name = status.name;
        // A directory, and what the Finder of macOS puts beside each file.
        if (name.ends_with('/') || name.starts_with("__MACOSX/")) continue;
        if (chosen >= 0) return fail(Errc::BadInput, "the zip archive has more than one file; a report is one");
        if ((status.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && status.encryption_method != ZIP_EM_NONE)
            return fail(Errc::BadInput, "the zip archive is encrypted");
        chosen = i;
    }
    if (chosen < 0) return fail(Errc::BadInput, "the zip archive is empty");
    const std::unique_ptr<zip_file_t, CloseMember> member(
        ::zip_fopen_index(zip.get(), static_cast<zip_uint64_t>(chosen), 0));
    if (!member)
        return fail(Errc::BadInput, fmt::format("cannot unpack the zip archive: {}", ::zip_strerror(zip.get())));
    std::string piece(kPiece, '\0');
    for (;;) {
        const zip_int64_t got = ::zip_fread(member.get(), piece.data(), piece.size());
        if (got < 0)
            return fail(Errc::BadInput,
                        fmt::format("the zip archive is damaged: {}", ::zip_file_strerror(member.get())));
        if (got == 0) return ok();
        GK_CHECK(out.write(std::string_view(piece).substr(0, static_cast<std::size_t>(got))));
    }
}

}  // namespace

std::string clean(std::string_view text, std::size_t limit) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<unsigned char>(text[i]);
        const std::size_t length = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        const std::string_view character = text.substr(i, length);
        const bool good = gk::text::is_utf8(character);
        if (out.size() + (good ? character.size() : 3) > limit) break;
        if (c < 0x20 || c == 0x7F) out += ' ';
        else out += good ? character : std::string_view("\xEF\xBF\xBD");
        i += good ? length : 1;
    }
    return std::string(gk::text::trim(out));
}

Status unpack(std::string_view bytes, const ParseLimits& limits, const Sink& sink) {
    Bounded out(bytes.size(), limits, sink);
    if (bytes.starts_with("\x1f\x8b")) {
        if (bytes.size() > UINT32_MAX) return fail(Errc::BadInput, "the gzip file is too large");
        Inflater inflater;
        return inflater.run(bytes, out);
    }
    if (bytes.starts_with("PK\x03\x04") || bytes.starts_with("PK\x05\x06")) return unzip(bytes, out);
    for (; !bytes.empty(); bytes.remove_prefix(std::min(kPiece, bytes.size())))
        GK_CHECK(out.write(bytes.substr(0, kPiece)));
    return ok();
}

struct Gzip::Impl {
    z_stream stream{};
    std::string out, buffer = std::string(kPiece, '\0');

    void run(std::string_view bytes, int flush) {
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        stream.avail_in = static_cast<uInt>(bytes.size());
        do {
            stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
            stream.avail_out = static_cast<uInt>(buffer.size());
            (void)::deflate(&stream, flush);
            out.append(buffer, 0, buffer.size() - stream.avail_out);
        } while (stream.avail_out == 0);
    }
};

Gzip::Gzip() : impl_(std::make_unique<Impl>()) {
    if (::deflateInit2(&impl_->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::bad_alloc();
}
Gzip::~Gzip() {
    if (impl_) ::deflateEnd(&impl_->stream);
}
Gzip::Gzip(Gzip&&) noexcept = default;
Gzip& Gzip::operator=(Gzip&&) noexcept = default;

void Gzip::write(std::string_view bytes) {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(kPiece, bytes.size())))
        impl_->run(bytes.substr(0, kPiece), Z_NO_FLUSH);
}
std::size_t Gzip::size() const noexcept { return impl_->out.size(); }
std::string Gzip::finish() {
    impl_->run({}, Z_FINISH);
    return std::move(impl_->out);
}

}  // namespace gk::reports
