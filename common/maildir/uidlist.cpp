// SPDX-License-Identifier: MIT
#include "common/maildir/uidlist.hpp"

#include <fmt/format.h>
#include <limits>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/maildir/name.hpp"

namespace gk::maildir {

namespace {

std::optional<std::uint32_t> to_u32(std::string_view s) noexcept {
    const auto value = text::to_uint(s);
    if (!value || *value > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    return static_cast<std::uint32_t>(*value);
}

bool parse_header(std::string_view line, Uidlist& list) {
    const auto fields = text::split(line, ' ');
    if (fields.empty() || fields[0] != "3") return false;
    for (const auto field : fields) {
        if (field.size() < 2) continue;
        const auto value = field.substr(1);
        if (field[0] == 'V') list.validity = to_u32(value).value_or(0);
        else if (field[0] == 'N') list.next = to_u32(value).value_or(1);
        else if (field[0] == 'G' && value.size() == 32 && text::from_hex(value)) list.guid = std::string(value);
    }
    if (list.next == 0) list.next = 1;
    return list.validity != 0;
}

bool parse_line(std::string_view line, UidEntry& entry) {
    const auto space = line.find(' ');
    if (space == std::string_view::npos) return false;
    const auto uid = to_u32(line.substr(0, space));
    // The last UID could have no successor, which UIDNEXT needs.
    if (!uid || *uid == 0 || *uid == std::numeric_limits<std::uint32_t>::max()) return false;
    entry.uid = *uid;
    const auto rest = line.substr(space + 1);
    std::size_t colon = 0;
    if (!rest.starts_with(':')) {
        colon = rest.find(" :");
        if (colon == std::string_view::npos) return false;
        entry.extra = rest.substr(0, colon++);
    }
    entry.name = base_of(rest.substr(colon + 1));
    return parse_name(entry.name).has_value();
}

}  // namespace

Result<Uidlist> parse_uidlist(std::string_view bytes) {
    Uidlist list;
    bool first = true;
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        // A last line without its end was torn by a crash: its message gets a new UID.
        if (end == std::string_view::npos) {
            list.damaged = true;
            break;
        }
        const auto line = bytes.substr(0, end);
        bytes.remove_prefix(end + 1);
        if (first) {
            if (!parse_header(line, list))
                return fail(Errc::BadInput, "uidlist has no version 3 header with a UIDVALIDITY");
            first = false;
            continue;
        }
        UidEntry entry;
        if (!parse_line(line, entry) || (!list.entries.empty() && entry.uid <= list.entries.back().uid)) {
            list.damaged = true;
            continue;
        }
        list.entries.push_back(entry);
    }
    if (first) return fail(Errc::BadInput, "uidlist is empty");
    if (!list.entries.empty()) list.next = std::max(list.next, list.entries.back().uid + 1);
    return list;
}

std::string format_uidlist_header(std::uint32_t validity, std::uint32_t next, std::string_view guid) {
    return guid.empty() ? fmt::format("3 V{} N{}\n", validity, next)
                        : fmt::format("3 V{} N{} G{}\n", validity, next, guid);
}

void append_uidlist_line(std::string& out, std::uint32_t uid, std::string_view extra, std::string_view name) {
    fmt::format_to(std::back_inserter(out), "{} ", uid);
    if (!extra.empty()) out.append(extra) += ' ';
    out += ':';
    out.append(base_of(name)) += '\n';
}

std::string new_guid() { return text::to_hex(random_bytes(16)); }

}  // namespace gk::maildir
