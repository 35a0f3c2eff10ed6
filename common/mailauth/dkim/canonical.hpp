// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

// Canonicalisation (RFC 6376, 3.4). LF and CRLF both end a line and both become CRLF.
namespace gk::mailauth {

enum class Canon { Simple, Relaxed };
std::string_view canon_name(Canon canon) noexcept;

// A header field as it is hashed. FIELD is the whole of it, with or without its last line end; the answer ends in CRLF
// where WITH_END.
std::string canonical_field(std::string_view field, Canon canon, bool with_end = true);

// The body as a stream; any split of the input gives the same output. Memory is bounded: empty lines that may turn out
// to be the last are only counted.
class BodyCanonicaliser {
public:
    explicit BodyCanonicaliser(Canon canon) noexcept;
    using Sink = std::function<void(std::string_view)>;
    void feed(std::string_view bytes, const Sink& sink);
    void finish(const Sink& sink);

private:
    void slow(char c, const Sink& sink);
    void begin_content(const Sink& sink);
    void end_line(const Sink& sink);
    void flush(const Sink& sink, std::size_t least);

    const Canon canon_;
    std::string out_;                // not handed over yet
    std::uint64_t empty_lines_ = 0;  // withheld
    bool in_line_ = false;           // content of this line was written
    bool cr_ = false;                // a CR that may be half of a line end
    bool space_ = false;             // white space that may be at the line's end (relaxed)
    bool wrote_ = false;
};

}  // namespace gk::mailauth
