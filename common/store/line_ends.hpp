// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gk::store {

// CRLF to LF over a stream, for as long as the bytes hold no bare CR or LF. Any split of the input gives the same.
class LineEndFilter {
public:
    // Appends what is to be stored to OUT. False where a bare CR or LF was met: BYTES from *CONSUMED on were not taken,
    // and everything taken was sound, so LF to CRLF gives the input back (then a CR may be pending: see pending_cr).
    bool feed(std::string_view bytes, std::string& out, std::size_t* consumed);
    bool pending_cr() const noexcept {
        return pending_cr_;
    }  // a CR at the end of what was fed; bare, if nothing follows

private:
    bool pending_cr_ = false;
};

}  // namespace gk::store
