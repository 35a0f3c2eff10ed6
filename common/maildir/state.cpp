// SPDX-License-Identifier: MIT
#include "common/maildir/state.hpp"

#include <fmt/format.h>
#include <limits>

#include "common/base/text.hpp"
#include "common/maildir/texts.hpp"

namespace gk::maildir {

namespace {

constexpr unsigned kFirstBit = 26, kBits = 64;

std::uint32_t to_u32(std::string_view s) {
    const auto value = text::to_uint(s).value_or(0);
    return value > std::numeric_limits<std::uint32_t>::max() ? 0 : static_cast<std::uint32_t>(value);
}

// "26 VALUE" of the lines keyword and messages.
bool split_bit(std::string_view value, unsigned& bit, std::string_view& rest) {
    const auto space = value.find(' ');
    if (space == std::string_view::npos) return false;
    const auto number = text::to_uint(value.substr(0, space));
    if (!number || *number < kFirstBit || *number >= kBits) return false;
    bit = static_cast<unsigned>(*number);
    rest = value.substr(space + 1);
    return true;
}

void parse_line(std::string_view line, MailboxState& state) {
    const auto space = line.find(' ');
    const auto key = line.substr(0, space);
    const auto value = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    unsigned bit = 0;
    std::string_view rest;
    if (key == "gk-state") return;
    if (key == "boot") state.boot = std::string(value);
    else if (key == "uid-ceiling") state.uid_ceiling = std::max(1u, to_u32(value));
    else if (key == "modseq-ceiling")
        state.modseq_ceiling = std::max<std::uint64_t>(1, text::to_uint(value).value_or(1));
    else if (key == "special-use") state.special_use = std::string(value);
    else if (key == "uidvalidity") state.uidvalidity = to_u32(value);
    else if (key == "threads") state.threads = to_u32(value);
    else if (key == "keyword") {
        if (split_bit(value, bit, rest) && is_keyword(rest)) state.keywords[bit] = std::string(rest);
    } else if (key == "messages") {
        if (split_bit(value, bit, rest)) state.messages[bit] = parse_ranges(rest);
    } else if (!line.empty()) {
        state.unknown.emplace_back(line);
    }
}

}  // namespace

MailboxState parse_state(std::string_view bytes) {
    MailboxState state;
    for (const auto line : text::split(bytes, '\n')) parse_line(line, state);
    std::erase_if(state.messages, [](const auto& entry) { return entry.second.empty(); });
    return state;
}

std::string format_state(const MailboxState& state) {
    std::string out = fmt::format("gk-state 1\nboot {}\nuid-ceiling {}\nmodseq-ceiling {}\n", state.boot,
                                  state.uid_ceiling, state.modseq_ceiling);
    if (!state.special_use.empty()) out += fmt::format("special-use {}\n", state.special_use);
    if (state.uidvalidity != 0) out += fmt::format("uidvalidity {}\n", state.uidvalidity);
    for (const auto& [bit, name] : state.keywords) out += fmt::format("keyword {} {}\n", bit, name);
    for (const auto& [bit, ranges] : state.messages)
        if (!ranges.empty()) out += fmt::format("messages {} {}\n", bit, format_ranges(ranges));
    if (state.threads != 0) out += fmt::format("threads {}\n", state.threads);
    for (const auto& line : state.unknown) out.append(line) += '\n';
    return out;
}

std::string format_ranges(const UidRanges& ranges) {
    std::string out;
    for (const auto& [first, last] : ranges) {
        if (!out.empty()) out += ',';
        out += first == last ? fmt::format("{}", first) : fmt::format("{}:{}", first, last);
    }
    return out;
}

UidRanges parse_ranges(std::string_view value) {
    UidRanges ranges;
    for (const auto part : text::split(value, ',')) {
        const auto colon = part.find(':');
        const auto first = to_u32(part.substr(0, colon));
        const auto last = colon == std::string_view::npos ? first : to_u32(part.substr(colon + 1));
        if (first == 0 || last < first || (!ranges.empty() && first <= ranges.back().second)) return {};
        ranges.emplace_back(first, last);
    }
    return ranges;
}

UidRanges to_ranges(const std::vector<std::uint32_t>& uids) {
    UidRanges ranges;
    for (const auto uid : uids) {
        if (!ranges.empty() && ranges.back().second + 1 == uid) ranges.back().second = uid;
        else ranges.emplace_back(uid, uid);
    }
    return ranges;
}

}  // namespace gk::maildir
