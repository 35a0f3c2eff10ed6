// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace gk::imap {

// COMPRESS=DEFLATE (RFC 4978): one stream of raw deflate each way, about 100 KB for both. Plain bytes come out in
// pieces of a bounded size, however small what they came from.
class Compression {
public:
    static Result<std::unique_ptr<Compression>> begin();
    ~Compression();
    Compression(const Compression&) = delete;

    // Appends to OUT what goes onto the wire. FLUSH: all that was ever given, as the other side must see it now.
    void compress(std::string_view plain, bool flush, std::string& out);

    // What came from the wire; kept until next() has used it, so give more only when that says nothing.
    void feed(std::string_view wire);
    // The next plain bytes, at most LIMIT; empty: feed() more. BadInput: this is not deflate.
    Result<std::string> next(std::size_t limit);

private:
    Compression();
    struct Streams;
    std::unique_ptr<Streams> streams_;
};

}  // namespace gk::imap
