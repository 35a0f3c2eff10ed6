// SPDX-License-Identifier: MIT
#include "common/message/transport.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/base/text.hpp"
#include "common/message/decoder.hpp"
#include "common/message/header.hpp"

namespace gk::message {
namespace {

constexpr std::size_t kLongestLine = 998;  // RFC 5321, 4.5.3.1.6, without CRLF
constexpr std::size_t kBase64Line = 57;    // octets in a line of 76 characters (RFC 2045, 6.8)
constexpr std::size_t kBase64Piece = 512 * kBase64Line;
constexpr std::size_t kTextPiece = 32 * 1024;

struct Octets {
    std::uint64_t high = 0;  // above 127
    bool binary = false;     // NUL, bare CR or LF
    bool long_line = false;
};

Octets look(std::string_view bytes) noexcept {
    Octets found;
    std::size_t line = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto c = static_cast<unsigned char>(bytes[i]);
        if (c == '\n') {
            if (i == 0 || bytes[i - 1] != '\r') found.binary = true;
            line = 0;
        } else if (c == '\r') {
            if (i + 1 == bytes.size() || bytes[i + 1] != '\n') found.binary = true;
        } else {
            if (++line > kLongestLine) found.long_line = true;
            if (c >= 0x80) ++found.high;
            else if (c == 0) found.binary = true;
        }
    }
    return found;
}

bool is_sealed(const Part& part) noexcept {
    return part.is("multipart", "signed") || part.is("multipart", "encrypted");
}

bool is_identity(std::string_view encoding) noexcept {
    return encoding.empty() || encoding == "7bit" || encoding == "8bit" || encoding == "binary";
}

std::uint32_t past_descendants(const Structure& structure, std::uint32_t index) noexcept {
    std::uint32_t next = index + 1;
    while (next < structure.parts.size() && structure.parts[next].depth > structure.parts[index].depth) ++next;
    return next;
}

tl::unexpected<Error> impossible(std::string_view why) { return fail(Errc::BadInput, std::string(why)); }

class Conversion {
public:
    Conversion(std::string_view message, Transport transport, const std::function<Status(std::string_view)>& sink,
               const Limits& limits)
        : message_(message),
          structure_(scan(message, LineEnds::AsStored, limits)),
          seven_(transport == Transport::SevenBit),
          sink_(sink) {}

    Status run() {
        for (std::uint32_t i = 0; i < structure_.parts.size();) {
            const Part& part = structure_.parts[i];
            GK_CHECK(unread(part.header_begin));
            const bool is_global = part.is("message", "global");
            if (part.kind != Part::Kind::Leaf && !is_sealed(part) && !is_global) {
                GK_CHECK(header(part, label_of_whole(part)));
                ++i;
                continue;
            }
            GK_CHECK(whole(part));
            i = past_descendants(structure_, i);
        }
        return unread(message_.size());
    }

private:
    std::string_view slice(std::uint64_t begin, std::uint64_t end) const { return message_.substr(begin, end - begin); }

    // The label of a multipart or message, which is the least that holds its parts (RFC 2045, 6.4); empty: as it is.
    std::string_view label_of_whole(const Part& part) const {
        if (part.encoding == "binary") return seven_ ? "7bit" : "8bit";
        return part.encoding == "8bit" && seven_ ? "7bit" : "";
    }

    // What no part holds: delimiters, and text that is to be ignored (RFC 2046, 5.1.1).
    Status unread(std::uint64_t end) {
        if (end <= at_) return ok();
        const auto bytes = slice(at_, end);
        at_ = end;
        return mended(bytes);
    }

    Status mended(std::string_view bytes) {
        const Octets found = look(bytes);
        if (!found.binary && (!seven_ || found.high == 0)) return sink_(bytes);
        std::string out;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            const char c = bytes[i];
            if (c == '\n' && (i == 0 || bytes[i - 1] != '\r')) out += "\r\n";
            else if (c == '\r' && (i + 1 == bytes.size() || bytes[i + 1] != '\n')) out += ' ';
            else if (c == '\0' || (seven_ && static_cast<unsigned char>(c) >= 0x80)) out += '?';
            else out += c;
            if (out.size() < kTextPiece) continue;
            GK_CHECK(sink_(out));
            out.clear();
        }
        return sink_(out);
    }

    // The fields, with ENCODING for that which they had; empty: as they are.
    Status header(const Part& part, std::string_view encoding) {
        const auto block = slice(part.header_begin, part.body_begin);
        at_ = part.body_begin;
        if (seven_ && !text::is_ascii(block)) return impossible("a header field has characters of 8 bits");
        if (encoding.empty()) return mended(block);
        std::string kept;
        bool is_mime = false;
        FieldReader reader(block);
        for (Field field; reader.next(field);) {
            is_mime |= text::equals_nocase(field.name, "MIME-Version");
            if (text::equals_nocase(field.name, "Content-Transfer-Encoding")) continue;
            kept += field.whole;
        }
        if (!kept.empty() && kept.back() != '\n') kept += "\r\n";
        const bool is_message = part.parent == kNone || structure_.parts[part.parent].kind == Part::Kind::Message;
        if (is_message && !is_mime) {
            kept += "MIME-Version: 1.0\r\n";
            if (!part.has_type) kept += "Content-Type: text/plain; charset=unknown-8bit\r\n";  // RFC 1428, 3
        }
        kept += fmt::format("Content-Transfer-Encoding: {}\r\n", encoding);
        GK_CHECK(mended(kept));
        return sink_("\r\n");
    }

    // A part that is encoded or passed on as one.
    Status whole(const Part& part) {
        const auto body = slice(part.body_begin, part.body_end);
        const Octets found = look(body);
        const bool forbidden = (seven_ && found.high > 0) || found.binary;
        const bool is_global = part.is("message", "global");
        if (forbidden && is_sealed(part)) return impossible("a signed or encrypted part has to stay as it is");
        if (forbidden && !is_identity(part.encoding))
            return impossible("an encoded part has octets that no encoding has");
        if (forbidden && part.opaque) return impossible("its parts are too many, or nested too deep");
        const bool has_to_stay = part.type == "multipart" || part.is("message", "rfc822") ||
                                 part.is("message", "partial") || part.is("message", "external-body");
        if (forbidden && has_to_stay)
            return impossible(fmt::format("a part of type {}/{} cannot be encoded", text::printable(part.type, 60),
                                          text::printable(part.subtype, 60)));
        const bool encodes =
            !is_sealed(part) && !has_to_stay && is_identity(part.encoding) && (forbidden || found.long_line);
        if (!encodes) {
            const bool labelled = part.encoding == "8bit" || part.encoding == "binary";
            GK_CHECK(header(part, !labelled ? "" : found.high > 0 ? "8bit" : "7bit"));
            at_ = part.body_end;
            return sink_(body);
        }
        // Base64 takes a third more, quoted-printable twice more for each octet above 127.
        const bool is_text = (part.type == "text" || is_global) && !found.binary && found.high * 6 <= body.size();
        GK_CHECK(header(part, is_text ? "quoted-printable" : "base64"));
        at_ = part.body_end;
        GK_CHECK(is_text ? quoted_printable(body) : base64(body));
        // Elsewhere the delimiter's line end follows.
        const bool is_last = part.body_end == message_.size();
        if (!is_last || body.empty()) return ok();
        return !is_text ? sink_("\r\n") : body.ends_with("\r\n") ? ok() : sink_("=\r\n");
    }

    Status base64(std::string_view body) {
        std::string out;
        for (std::size_t at = 0; at < body.size(); at += kBase64Piece) {
            out.clear();
            const std::string encoded = text::to_base64(body.substr(at, kBase64Piece));
            for (std::size_t line = 0; line < encoded.size(); line += 76) {
                if (at + line > 0) out += "\r\n";
                out.append(encoded, line, 76);
            }
            GK_CHECK(sink_(out));
        }
        return ok();
    }

    // Lines as they are, in pieces that end with one; where a line is longer than that, with a soft line break.
    Status quoted_printable(std::string_view body) {
        while (!body.empty()) {
            std::size_t size = std::min(kTextPiece, body.size());
            const bool is_end = size == body.size();
            const auto line_end = is_end ? std::string_view::npos : body.substr(0, size).rfind('\n');
            const bool cut = !is_end && line_end == std::string_view::npos;
            if (line_end != std::string_view::npos) size = line_end + 1;
            if (cut && body[size - 1] == '\r') --size;
            GK_CHECK(sink_(encode_quoted_printable(body.substr(0, size)) + (cut ? "=\r\n" : "")));
            body.remove_prefix(size);
        }
        return ok();
    }

    std::string_view message_;
    Structure structure_;
    bool seven_;
    const std::function<Status(std::string_view)>& sink_;
    std::uint64_t at_ = 0;  // what lies before is written
};

}  // namespace

Demands demands_of(std::string_view message, const Limits& limits) {
    const Structure structure = scan(message, LineEnds::AsStored, limits);
    Demands demands;
    for (std::uint32_t i = 0; i < structure.parts.size();) {
        const Part& part = structure.parts[i];
        demands.utf8_header |= !text::is_ascii(message.substr(part.header_begin, part.body_begin - part.header_begin));
        i = part.is("message", "global") ? past_descendants(structure, i) : i + 1;
    }
    const Octets found = look(message.substr(structure.root().body_begin));
    demands.eight_bit = found.high > 0;
    demands.binary = found.binary || found.long_line;
    return demands;
}

Status convert(std::string_view message, Transport transport, const std::function<Status(std::string_view)>& sink,
               const Limits& limits) {
    return Conversion(message, transport, sink, limits).run();
}

}  // namespace gk::message
