// SPDX-License-Identifier: MIT
#include "common/store/state.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/maildir/state.hpp"
#include "common/maildir/texts.hpp"
#include "common/os/file.hpp"

// Bits 0 to 25 are letters in file names, their names are in dovecot-keywords; bits 26 to 63 are in gk-state.
namespace gk::store {

namespace {

std::size_t find_bit(const std::vector<std::string>& names, std::string_view name) {
    // RFC 9051, 2.3.2: keywords do not depend on case.
    for (std::size_t bit = 0; bit < names.size(); ++bit)
        if (text::equals_nocase(names[bit], name)) return bit;
    return kMaxKeywords;
}

Status name_bit(State& state, const Record& record, std::size_t bit, const std::string& name) {
    GK_TRY(auto insert, state.index.prepare("INSERT OR REPLACE INTO keywords(mailbox, bit, name) VALUES(?,?,?)"));
    return insert.bind(record.number).bind(static_cast<std::int64_t>(bit)).bind(name).run();
}

// Durable before a letter is used: a letter without a name would be a keyword lost.
Status write_keywords(State& state, const Record& record, const std::vector<std::string>& names) {
    maildir::KeywordNames letters;
    for (std::size_t bit = 0; bit < letters.size() && bit < names.size(); ++bit) letters[bit] = names[bit];
    return state.replace(state.path_of(record.name) + "/dovecot-keywords", maildir::format_keywords(letters));
}

// A bit that no message uses any more, where all have names.
Result<std::size_t> free_bit(State& state, const Record& record, std::vector<std::string>& names) {
    for (std::size_t bit = 0; bit < names.size(); ++bit)
        if (names[bit].empty()) return bit;
    GK_TRY(auto query,
           state.index.prepare("SELECT keywords FROM messages WHERE key BETWEEN ? AND ? AND keywords != 0"));
    query.bind(row_key(record.number, 0)).bind(row_key(record.number, 0xffffffff));
    KeywordMask used = 0;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        used |= static_cast<KeywordMask>(query.integer(0));
    }
    for (std::size_t bit = 0; bit < names.size(); ++bit)
        if ((used >> bit & 1) == 0) return bit;
    return fail(Errc::BadInput,
                fmt::format("mailbox '{}' has {} keywords in use, and no room for more", record.name, kMaxKeywords));
}

}  // namespace

Result<std::vector<std::string>> load_keywords(State& state, std::int64_t mailbox) {
    std::vector<std::string> names(kMaxKeywords);
    GK_TRY(auto query, state.index.prepare("SELECT bit, name FROM keywords WHERE mailbox = ?"));
    query.bind(mailbox);
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return names;
        const auto bit = static_cast<std::size_t>(query.integer(0));
        if (bit < names.size()) names[bit] = query.text(1);
    }
}

Result<KeywordMask> ensure_keywords(State& state, const Record& record, const std::vector<std::string>& wanted) {
    KeywordMask mask = 0;
    if (wanted.empty()) return mask;
    GK_TRY(auto names, load_keywords(state, record.number));
    bool letters = false, others = false;
    for (const auto& name : wanted) {
        if (!maildir::is_keyword(name))
            return fail(Errc::BadInput, fmt::format("'{}' is not a keyword", text::printable(name)));
        std::size_t bit = find_bit(names, name);
        if (bit == kMaxKeywords) {
            GK_TRY(bit, free_bit(state, record, names));
            names[bit] = name;
            GK_CHECK(name_bit(state, record, bit, name));
            (bit < 26 ? letters : others) = true;
        }
        mask |= KeywordMask{1} << bit;
    }
    if (letters) GK_CHECK(write_keywords(state, record, names));
    if (others) GK_CHECK(write_state(state, record));
    return mask;
}

Status adopt_keywords(State& state, const Record& record) {
    GK_TRY(auto names, load_keywords(state, record.number));
    const std::string path = state.path_of(record.name);
    const auto adopt = [&](std::size_t bit, const std::string& name) -> Status {
        if (!names[bit].empty() || find_bit(names, name) != kMaxKeywords) return ok();
        names[bit] = name;
        return name_bit(state, record, bit, name);
    };
    if (const auto bytes = os::read_file(path + "/dovecot-keywords"); bytes) {
        const auto letters = maildir::parse_keywords(*bytes);
        for (std::size_t bit = 0; bit < letters.size(); ++bit)
            if (!letters[bit].empty()) GK_CHECK(adopt(bit, letters[bit]));
    } else if (bytes.error().code != Errc::NotFound) {
        return fail(bytes.error());
    }
    if (const auto bytes = os::read_file(path + "/gk-state"); bytes) {
        for (const auto& [bit, name] : maildir::parse_state(*bytes).keywords) GK_CHECK(adopt(bit, name));
    } else if (bytes.error().code != Errc::NotFound) {
        return fail(bytes.error());
    }
    return ok();
}

Status name_unknown_keywords(State& state, const Record& record, std::uint32_t letters) {
    GK_TRY(auto names, load_keywords(state, record.number));
    bool named = false;
    for (std::size_t bit = 0; bit < 26; ++bit) {
        if ((letters >> bit & 1) == 0 || !names[bit].empty()) continue;
        names[bit] = fmt::format("unknown-{}", bit);  // Dovecot's name for a letter that nobody explains
        GK_CHECK(name_bit(state, record, bit, names[bit]));
        named = true;
    }
    return named ? write_keywords(state, record, names) : ok();
}

}  // namespace gk::store
