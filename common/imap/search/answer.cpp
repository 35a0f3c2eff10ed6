// SPDX-License-Identifier: MIT
#include "common/imap/search/answer.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/imap/view.hpp"

namespace gk::imap {

void append_numbers(std::string& out, std::string_view word, const std::vector<std::uint32_t>& numbers,
                    store::ModSeq modseq) {
    fmt::format_to(std::back_inserter(out), "* {}", word);
    for (const std::uint32_t number : numbers) {
        const fmt::format_int text(number);
        out += ' ';
        out.append(text.data(), text.size());
    }
    if (modseq != 0) fmt::format_to(std::back_inserter(out), " (MODSEQ {})", modseq);
    out += "\r\n";
}

namespace {

void append_correlators(std::string& out, const Found& found) {
    out += "* ESEARCH (TAG \"";
    for (const char c : found.tag) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
    if (!found.mailbox.empty())
        fmt::format_to(std::back_inserter(out), " MAILBOX {} UIDVALIDITY {}", found.mailbox, found.uidvalidity);
    out += ')';
    if (found.uid) out += " UID";
}

}  // namespace

void begin_esearch(std::string& out, std::string_view tag, bool uid) {
    append_correlators(out, {.tag = tag, .uid = uid, .numbers = {}});
}

void append_esearch(std::string& out, const SearchReturn& wanted, const Found& found) {
    const bool all = wanted.all || !wanted.given;
    if (!all && !wanted.min && !wanted.max && !wanted.count && !wanted.partial && !wanted.relevancy) return;
    append_correlators(out, found);
    const auto& numbers = found.numbers;
    if (!numbers.empty()) {
        if (wanted.min) fmt::format_to(std::back_inserter(out), " MIN {}", numbers.front());
        if (wanted.max) fmt::format_to(std::back_inserter(out), " MAX {}", numbers.back());
    }
    if (wanted.count) fmt::format_to(std::back_inserter(out), " COUNT {}", numbers.size());
    if (wanted.partial) {
        const auto [from, to] = places(*wanted.partial, numbers.size());
        fmt::format_to(std::back_inserter(out), " PARTIAL ({} ", wanted.partial->text);
        if (from == to) out += "NIL";
        else
            append_uid_set(out, {numbers.begin() + static_cast<std::ptrdiff_t>(from),
                                 numbers.begin() + static_cast<std::ptrdiff_t>(to)});
        out += ')';
    }
    if (all && !numbers.empty()) {
        out += " ALL ";
        append_uid_set(out, numbers);
    }
    if (!found.relevancies.empty())
        fmt::format_to(std::back_inserter(out), " RELEVANCY ({})", fmt::join(found.relevancies, " "));
    if (found.modseq != 0) fmt::format_to(std::back_inserter(out), " MODSEQ {}", found.modseq);
    out += "\r\n";
}

std::pair<std::size_t, std::size_t> places(const PartialRange& range, std::size_t size) noexcept {
    const std::size_t first = std::min<std::size_t>(range.first - 1, size),
                      last = std::min<std::size_t>(range.last, size);
    return range.from_end ? std::pair(size - last, size - first) : std::pair(first, last);
}

std::vector<store::Uid> saved_result(const SearchReturn& wanted, const std::vector<store::Uid>& uids) {
    std::vector<store::Uid> saved;
    if (uids.empty()) return saved;
    if ((!wanted.min && !wanted.max && !wanted.partial) || wanted.all || wanted.count) {
        saved = uids;
    } else {
        if (wanted.partial) {
            const auto [from, to] = places(*wanted.partial, uids.size());
            saved.assign(uids.begin() + static_cast<std::ptrdiff_t>(from),
                         uids.begin() + static_cast<std::ptrdiff_t>(to));
        }
        if (wanted.min) saved.push_back(uids.front());
        if (wanted.max) saved.push_back(uids.back());
    }
    std::sort(saved.begin(), saved.end());
    saved.erase(std::unique(saved.begin(), saved.end()), saved.end());
    return saved;
}

bool charset_is_known(std::string_view charset) noexcept {
    return charset.empty() || charset == "UTF-8" || charset == "US-ASCII";
}

}  // namespace gk::imap
