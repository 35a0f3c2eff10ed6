// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <cerrno>

#include "common/base/text.hpp"
#include "common/imap/format/format.hpp"
#include "common/imap/mailbox_name.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

namespace {

// RFC 6154, 4: the special use as an annotation; it is kept as such, and one mailbox has it.
constexpr std::string_view kSpecialUse = "/private/specialuse";

void append_value(std::string& out, std::string_view value) {
    // RFC 5464, 5: nstring / literal8. A NUL fits in the latter alone.
    if (value.find('\0') == std::string_view::npos) return append_string(out, value, false);
    out += fmt::format("~{{{}}}\r\n", value.size());
    out += value;
}

// Whether NAME is ENTRY, or lies below it as deep as DEPTH says.
bool is_asked(std::string_view name, std::string_view entry, GetMetadata::Depth depth) {
    if (name == entry) return true;
    if (depth == GetMetadata::Depth::Zero || name.size() <= entry.size() || !name.starts_with(entry) ||
        name[entry.size()] != '/')
        return false;
    return depth == GetMetadata::Depth::Infinity || name.find('/', entry.size() + 1) == std::string_view::npos;
}

}  // namespace

// What is kept for a mailbox, its special use included; for the account where MAILBOX is empty.
Result<store::Annotations> Session::annotations_of(const std::string& mailbox) {
    GK_TRY(auto annotations, account_->annotations(mailbox));
    if (mailbox.empty()) return annotations;
    GK_TRY(const auto entry, account_->find(mailbox));
    if (!entry.special_use.empty()) annotations.insert_or_assign(std::string(kSpecialUse), entry.special_use);
    return annotations;
}

// metadata-resp = "METADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")": RFC 5464, 4.4.1
void Session::append_metadata(std::string_view mailbox,
                              const std::vector<std::pair<std::string, std::optional<std::string>>>& values) {
    if (values.empty()) return;
    std::string& out = out_.text();
    out += "* METADATA ";
    append_mailbox(out, mailbox, utf8_);
    const char* separator = " (";
    for (const auto& [name, value] : values) {
        out += std::exchange(separator, " ");
        append_string(out, name, false);
        out += ' ';
        if (value) append_value(out, *value);
        else append_nil(out);
    }
    out += ")\r\n";
}

// RFC 9590, 3: each entry asked for, NIL where it has no value.
void Session::append_metadata_of(const std::string& mailbox, const std::vector<std::string>& entries) {
    const auto annotations = annotations_of(mailbox);
    if (!annotations) return;
    std::vector<std::pair<std::string, std::optional<std::string>>> values;
    for (const std::string& entry : entries) {
        const auto found = annotations->find(text::lower(entry));
        values.emplace_back(entry, found == annotations->end() ? std::nullopt : std::optional(found->second));
    }
    append_metadata(mailbox, values);
}

// getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries: RFC 5464, 4.2
void Session::on(const GetMetadata& command) {
    std::optional<std::string> name = std::string();
    if (!command.mailbox.empty() && !(name = mailbox_named(command.mailbox))) return;
    const auto annotations = annotations_of(*name);
    if (!annotations) return refuse(annotations.error());
    std::vector<std::pair<std::string, std::optional<std::string>>> values;
    std::size_t longest = 0;
    for (const std::string& asked : command.entries) {
        const std::string entry = text::lower(asked);
        bool found = false;
        for (const auto& [known, value] : *annotations) {
            if (!is_asked(known, entry, command.depth)) continue;
            found = found || known == entry;
            if (command.max_size && value.size() > *command.max_size) longest = std::max(longest, value.size());
            else if (std::none_of(values.begin(), values.end(),
                                  [&known = known](const auto& told) { return told.first == known; }))
                values.emplace_back(known == entry ? asked : known, value);
        }
        if (!found && command.depth == GetMetadata::Depth::Zero) values.emplace_back(asked, std::nullopt);
    }
    append_metadata(*name, values);
    // RFC 5464, 4.2.1
    if (longest != 0) return finish(fmt::format("OK [METADATA LONGENTRIES {}] Longer ones were left out", longest));
    finish("OK Metadata told");
}

// setmetadata = "SETMETADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")": RFC 5464, 4.3. All or none.
void Session::on(const SetMetadata& command) {
    std::optional<std::string> name = std::string();
    if (!command.mailbox.empty() && !(name = mailbox_named(command.mailbox))) return;
    std::vector<store::AnnotationChange> changes;
    const std::optional<std::string>* use = nullptr;
    for (const auto& [entry, value] : command.values) {
        if (!text::equals_nocase(entry, kSpecialUse)) changes.emplace_back(entry, value);
        else use = &value;
    }
    if (use != nullptr && name->empty()) return reply("NO [CANNOT] Only a mailbox has a special use");
    // RFC 6154, 4: what cannot be used is refused before anything is changed.
    std::optional<std::string> special_use = std::string();
    if (use != nullptr && *use && !(special_use = special_use_for(**use, *name))) return;
    if (const Status set = account_->annotate(*name, changes); !set) {
        if (set.error().os_errno == E2BIG)
            return reply(fmt::format("NO [METADATA TOOMANY] There may be {} entries with {} octets together",
                                     store::kMaxAnnotations, store::kMaxAnnotationBytes));
        if (set.error().os_errno == EMSGSIZE)
            return reply(fmt::format("NO [METADATA MAXSIZE {}] The value is too long", store::kMaxAnnotationValue));
        return refuse(set.error());
    }
    if (use != nullptr)
        if (const Status set = account_->set_special_use(*name, *special_use); !set) return refuse(set.error());
    finish("OK Metadata set");
}

}  // namespace gk::imap
