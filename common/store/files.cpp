// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/base/text.hpp"
#include "common/maildir/listing.hpp"
#include "common/maildir/name.hpp"
#include "common/os/file.hpp"
#include "common/store/state.hpp"

namespace gk::store {

std::string_view base_of_file(std::string_view file) noexcept {
    return maildir::base_of(file.substr(file.find('/') + 1));
}

std::string renamed_file(std::string_view file, Flags flags, KeywordMask keywords) {
    const auto name = file.substr(file.find('/') + 1);
    const auto parsed = maildir::parse_name(name);
    auto letters = maildir::parse_letters(parsed ? parsed->letters : std::string_view());
    letters.flags = flags;
    letters.keywords = static_cast<std::uint32_t>(keywords & kLetterKeywords);
    return "cur/" + maildir::format_name(maildir::base_of(name), letters);
}

std::int64_t saved_date_of(std::string_view file, std::int64_t otherwise) noexcept {
    constexpr std::int64_t kEarliest = 100'000'000, kAhead = 86'400;  // 1973; a clock that was wrong by a day
    const auto base = base_of_file(file);
    const auto seconds = text::to_uint(base.substr(0, base.find('.')));
    if (!seconds || *seconds > INT64_MAX) return otherwise;
    const auto saved = static_cast<std::int64_t>(*seconds);
    return saved >= kEarliest && saved <= now_s() + kAhead ? saved : otherwise;
}

Directory::Directory(std::string place)
    : path(std::move(place)),
      fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
      cur(::openat(fd.get(), "cur", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)),
      fresh(::openat(fd.get(), "new", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) {}

Directory::At Directory::at(const char* file) const noexcept {
    const bool in_cur = std::strncmp(file, "cur/", 4) == 0;
    const int sub = in_cur ? cur.get() : std::strncmp(file, "new/", 4) == 0 ? fresh.get() : -1;
    return sub >= 0 ? At{sub, file + 4} : At{fd.get(), file};
}

namespace {

int rename_at(Directory::At from, Directory::At to) noexcept { return ::renameat(from.fd, from.name, to.fd, to.name); }

}  // namespace

Renames::~Renames() {
    for (auto it = done_.rbegin(); it != done_.rend(); ++it)
        (void)rename_at(to_.at(names_.c_str() + it->second), from_.at(names_.c_str() + it->first));
}

Status Renames::rename(const std::string& from, const std::string& to) {
    if (rename_at(from_.at(from), to_.at(to)) != 0)
        return fail_errno(fmt::format("cannot rename '{}' in '{}' to '{}' in '{}'", from, from_.path, to, to_.path));
    done_.emplace_back(names_.size(), names_.size() + from.size() + 1);
    (names_.append(from) += '\0').append(to) += '\0';
    return ok();
}

std::string find_file(const std::string& mailbox_path, std::string_view base) {
    for (const char* sub : {"cur", "new"}) {
        maildir::Listing listing;
        if (!listing.read(mailbox_path + '/' + sub, false)) continue;
        for (std::size_t i = 0; i < listing.size(); ++i)
            if (listing.base(i) == base) return fmt::format("{}/{}", sub, listing.name(i));
    }
    return {};
}

Result<bool> take_new(State& state, Record& record, std::size_t most) {
    GK_TRY(auto query, state.index.prepare("SELECT key, flags, keywords, file FROM messages WHERE mailbox = ? AND file "
                                           ">= 'new/' LIMIT ?"));
    query.bind(record.number).bind(static_cast<std::int64_t>(most));
    struct Taken {
        std::int64_t key;
        std::string from, to;
    };
    std::vector<Taken> all;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        const std::string file(query.text(3));
        all.push_back(
            {query.integer(0), file,
             renamed_file(file, static_cast<Flags>(query.integer(1)), static_cast<KeywordMask>(query.integer(2)))});
    }
    if (all.empty()) return false;
    const OwnChange change(state, record);
    const Directory directory(state.path_of(record.name));
    if (!directory.fd) return fail_errno(fmt::format("cannot open '{}'", directory.path));
    GK_TRY(auto update, state.index.prepare("UPDATE messages SET file = ? WHERE key = ?"));
    bool moved = false;
    for (const auto& [key, from, to] : all) {
        // Another reader may have taken it first: then the next look at the directories finds it.
        if (rename_at(directory.at(from), directory.at(to)) != 0) {
            if (errno == ENOENT) continue;
            return fail_errno(fmt::format("cannot move '{}/{}' to cur/", directory.path, from));
        }
        GK_CHECK(update.bind(to).bind(key).run());
        moved = true;
    }
    change.done(state, record);
    return moved && all.size() == most;  // else the next call would find the same
}

OwnChange::OwnChange(State& state, const Record& record) {
    const std::string path = state.path_of(record.name);
    new_unchanged_ = maildir::stamp_of(path + "/new").mtime_ns == record.new_mtime_ns;
    cur_unchanged_ = maildir::stamp_of(path + "/cur").mtime_ns == record.cur_mtime_ns;
}

void OwnChange::done(State& state, Record& record) const {
    const std::string path = state.path_of(record.name);
    const auto note = [](bool unchanged_before, std::int64_t now, std::int64_t& stored, int& trust) {
        // What was changed before us is still to be found: then the stored time stays behind.
        if (!unchanged_before || now == stored) return;
        stored = now;
        trust = kOwnChange;
    };
    note(new_unchanged_, maildir::stamp_of(path + "/new").mtime_ns, record.new_mtime_ns, record.new_trust);
    note(cur_unchanged_, maildir::stamp_of(path + "/cur").mtime_ns, record.cur_mtime_ns, record.cur_trust);
}

}  // namespace gk::store
