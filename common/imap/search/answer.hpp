// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/imap/grammar/command.hpp"
#include "common/store/types.hpp"

// What SEARCH, SORT and their kin answer, once it is known what was found.
namespace gk::imap {

struct Found {
    std::string_view tag;  // of the command
    bool uid = false;      // NUMBERS are UIDs
    // Of ESEARCH, which says where it found them (RFC 7377, 2): MAILBOX as it goes out.
    std::string mailbox = {};
    std::uint32_t uidvalidity = 0;
    // UIDs or sequence numbers: ascending, or as they were sorted.
    std::vector<std::uint32_t> numbers;
    std::vector<unsigned> relevancies = {};  // of NUMBERS, in their order, where they were asked for
    store::ModSeq modseq = 0;  // the highest of what is told, where MODSEQ was searched for (RFC 7162, 3.1.5)
};

// "* ESEARCH (TAG "a1") UID MIN 2 …" (RFC 4731, 3.1), or nothing where only SAVE was asked for (RFC 5182, 2.2).
void append_esearch(std::string& out, const SearchReturn& wanted, const Found& found);
// "* ESEARCH (TAG "a1") UID", to be gone on with.
void begin_esearch(std::string& out, std::string_view tag, bool uid);
// "* SEARCH 2 3", or "* SORT 3 2"; MODSEQ: with " (MODSEQ n)" at its end.
void append_numbers(std::string& out, std::string_view word, const std::vector<std::uint32_t>& numbers,
                    store::ModSeq modseq = 0);
// What SAVE keeps of UIDS, which are in the order of the result: all, or with MIN, MAX or PARTIAL and nothing else
// only those (RFC 5182, 2.1; RFC 9394, 3.2). Ascending.
std::vector<store::Uid> saved_result(const SearchReturn& wanted, const std::vector<store::Uid>& uids);
// The places in a result of SIZE that RANGE names: from the first, up to but without the second.
std::pair<std::size_t, std::size_t> places(const PartialRange& range, std::size_t size) noexcept;

// Whether a search may be written in CHARSET (upper case; empty: none was named), and the answer where it may not.
bool charset_is_known(std::string_view charset) noexcept;
constexpr std::string_view kBadCharset = "NO [BADCHARSET (US-ASCII UTF-8)] That charset is not supported";

}  // namespace gk::imap
