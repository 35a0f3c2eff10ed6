// SPDX-License-Identifier: MIT
#include "common/maildir/layout.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/charset/mutf7.hpp"
#include "common/os/file.hpp"

namespace gk::maildir {

namespace {

constexpr std::size_t kMaxDirectoryName = 255;  // NAME_MAX: a mailbox is one directory name, whatever its depth
constexpr std::size_t kMaxLevels = 32;

Status refuse(std::string_view name, std::string_view why) {
    return fail(Errc::BadInput, fmt::format("cannot use '{}' as a mailbox name: {}", text::printable(name), why));
}

}  // namespace

std::string encode_level(std::string_view level) { return charset::to_mutf7(level); }

std::string decode_level(std::string_view level) {
    if (const auto decoded = charset::from_mutf7(level)) return *decoded;
    return charset::valid_utf8(level);
}

std::string directory_of(std::string_view name) {
    if (name == "INBOX") return "";
    std::string directory;
    for (const auto level : text::split(name, '/')) directory += '.' + encode_level(level);
    return directory;
}

std::optional<std::string> name_of(std::string_view directory) {
    if (directory.size() < 2 || directory[0] != '.' || directory == ".." ||
        directory.find('/') != std::string_view::npos)
        return std::nullopt;
    std::string name;
    for (const auto level : text::split(directory.substr(1), '.')) {
        if (level.empty()) return std::nullopt;
        if (!name.empty()) name += '/';
        name += decode_level(level);
    }
    // ".INBOX" would be a second INBOX; Dovecot's own ".DOVECOT-TRASHED" is a mailbox being deleted.
    if (text::equals_nocase(name, "INBOX") || name == "DOVECOT-TRASHED") return std::nullopt;
    // A directory that could not be made again from its name (foreign encodings) would be lost on the way back.
    if (directory_of(name) != directory) return std::nullopt;
    return check_name(name) ? std::optional(name) : std::nullopt;
}

Status check_name(std::string_view name) {
    if (name.empty()) return refuse(name, "it is empty");
    if (!text::is_utf8(name)) return refuse(name, "it is not UTF-8");
    const auto levels = text::split(name, '/');
    if (levels.size() > kMaxLevels) return refuse(name, fmt::format("it has more than {} levels", kMaxLevels));
    for (const auto level : levels) {
        if (level.empty()) return refuse(name, "a level of it is empty");
        // '.' separates levels on disk; '~' alone means a home directory to other tools.
        if (level.find('.') != std::string_view::npos) return refuse(name, "it contains a dot");
        if (level == "~") return refuse(name, "a level of it is '~'");
        for (const char c : level) {
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
                return refuse(name, "it contains a control character");
            if (c == '%' || c == '*') return refuse(name, "it contains a wildcard");
        }
    }
    // RFC 9051, 5.1: "INBOX" is one mailbox in any case.
    if (text::equals_nocase(levels.front(), "INBOX") && levels.front() != "INBOX")
        return refuse(name, "INBOX is written in capitals");
    if (directory_of(name).size() > kMaxDirectoryName) return refuse(name, "it is too long");
    return ok();
}

Status create_directories(const std::string& mailbox, bool inbox, bool sync) {
    for (const char* sub : {"/tmp", "/new", "/cur"}) GK_CHECK(os::make_directories(mailbox + sub));
    if (!inbox) GK_CHECK(os::append_file(mailbox + "/maildirfolder", "", false));
    return sync ? os::sync_directory(mailbox) : ok();
}

}  // namespace gk::maildir
