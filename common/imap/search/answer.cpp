// SPDX-License-Identifier: MIT
#include "common/imap/search/answer.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/imap/view.hpp"

namespace gk::imap {

void append_numbers(std::string& out, std::string_view word, const std::vector<std::uint32_t>& numbers,
                    store::ModSeq modseq) {
    fmt::format_to(std::back_inserter(out), "* {}", word);
    for (const std::uint32_t number : numbers) fmt::format_to(std::back_inserter(out), " {}", number);
    if (modseq != 0) fmt::format_to(std::back_inserter(out), " (MODSEQ {})", modseq);
    out += "\r\n";
}

void append_esearch(std::string& out, const SearchReturn& wanted, const Found& found) {
    const bool all = wanted.all || !wanted.given;
    if (!all && !wanted.min && !wanted.max && !wanted.count && !wanted.relevancy) return;
    out += "* ESEARCH (TAG \"";
    for (const char c : found.tag) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += "\")";
    if (found.uid) out += " UID";
    const auto& numbers = found.numbers;
    if (!numbers.empty()) {
        if (wanted.min) fmt::format_to(std::back_inserter(out), " MIN {}", numbers.front());
        if (wanted.max) fmt::format_to(std::back_inserter(out), " MAX {}", numbers.back());
    }
    if (wanted.count) fmt::format_to(std::back_inserter(out), " COUNT {}", numbers.size());
    if (all && !numbers.empty()) {
        out += " ALL ";
        append_uid_set(out, numbers);
    }
    if (wanted.relevancy && !numbers.empty())
        fmt::format_to(std::back_inserter(out), " RELEVANCY ({})", fmt::join(found.relevancies, " "));
    if (found.modseq != 0) fmt::format_to(std::back_inserter(out), " MODSEQ {}", found.modseq);
    out += "\r\n";
}

std::vector<store::Uid> saved_result(const SearchReturn& wanted, std::vector<store::Uid> uids) {
    if ((wanted.min || wanted.max) && !wanted.all && !wanted.count && uids.size() > 1) {
        if (!wanted.max) uids.resize(1);
        else if (!wanted.min) uids.erase(uids.begin(), uids.end() - 1);
        else uids.erase(uids.begin() + 1, uids.end() - 1);
    }
    return uids;
}

bool charset_is_known(std::string_view charset) noexcept {
    return charset.empty() || charset == "UTF-8" || charset == "US-ASCII";
}

}  // namespace gk::imap
