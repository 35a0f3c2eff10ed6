// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace gk::mailauth {

// How many octets, from the begin of BYTES, canonicalisation of a body leaves as they are: whole and broken lines that
// end in CRLF, none of them empty and, where RELAXED, without tabs, double spaces and spaces at their ends. It never
// ends between a CR and its LF, nor behind an octet of which only the next one would tell. BYTES must begin inside a
// line, or with an octet that is neither white space nor a line end. Nearly all mail is of this kind; 16 or 32 octets
// are looked at at once.
std::size_t regular_length(std::string_view bytes, bool relaxed) noexcept;

}  // namespace gk::mailauth
