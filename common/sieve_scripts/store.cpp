// SPDX-License-Identifier: MIT
#include "common/sieve_scripts/store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::sieve_scripts {

namespace {

constexpr std::string_view kSuffix = ".sieve", kLong = "%long-", kActive = "/active";

// Held while something changes; DIRECTORY is made where it is missing.
Result<os::Fd> lock(const std::string& directory) {
    GK_CHECK(os::make_directories(directory));
    os::Fd fd(::open((directory + "/.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return fail_errno(fmt::format("cannot open '{}/.lock'", directory));
    while (::flock(fd.get(), LOCK_EX) != 0)
        if (errno != EINTR) return fail_errno(fmt::format("cannot lock '{}/.lock'", directory));
    return fd;
}

Error no_such(std::string_view name) {
    return {Errc::NotFound, fmt::format("there is no script named '{}'", text::printable(name)), 0};
}

}  // namespace

Limits Limits::from(const config::Config& config) {
    Limits limits;
    limits.scripts = static_cast<std::size_t>(config.integer("sieve.max_scripts"));
    limits.size = config.size("sieve.max_script_size");
    return limits;
}

std::string Store::name_of(const std::string& file) const {
    if (!file.ends_with(kSuffix) || file.front() == '.') return "";
    const auto stem = std::string_view(file).substr(0, file.size() - kSuffix.size());
    std::string name;
    if (stem.starts_with(kLong)) {
        auto kept = os::read_file(fmt::format("{}/{}.name", directory_, stem), 4096);
        if (kept) name = std::move(*kept);
    } else {
        name = text::percent_decode(stem).value_or("");
    }
    // What is named otherwise than we would could not be found again by its name.
    return check_name(name) && file_of(name) == file ? name : "";
}

std::string Store::active_file() const {
    char target[512];
    const ssize_t length = ::readlink((directory_ + std::string(kActive)).c_str(), target, sizeof target);
    if (length <= 0) return "";
    const std::string_view file(target, static_cast<std::size_t>(length));
    return file.find('/') == std::string_view::npos ? std::string(file) : "";  // of this directory alone
}

Result<std::vector<Listed>> Store::list() const {
    std::vector<Listed> scripts;
    const auto entries = os::list_directory(directory_);
    if (!entries && entries.error().code == Errc::NotFound) return scripts;
    if (!entries) return fail(entries.error());
    const std::string active = active_file();
    for (const auto& entry : *entries) {
        if (entry.is_directory) continue;
        if (auto name = name_of(entry.name); !name.empty()) scripts.push_back({std::move(name), entry.name == active});
    }
    std::sort(scripts.begin(), scripts.end(), [](const Listed& a, const Listed& b) { return a.name < b.name; });
    return scripts;
}

Result<std::string> Store::get(std::string_view name) const {
    GK_CHECK(check_name(name));
    auto script = read_script(path_of(name), std::max<std::uint64_t>(limits_.size, 16u << 20), false);
    if (!script && script.error().code == Errc::NotFound) return fail(no_such(name));
    return script;
}

Result<Room> Store::room_for(std::string_view name, std::uint64_t size) const {
    GK_CHECK(check_name(name));
    if (size > limits_.size) return Room::TooLarge;
    if (os::exists(path_of(name))) return Room::Enough;
    GK_TRY(const auto all, list());
    return all.size() < limits_.scripts ? Room::Enough : Room::TooMany;
}

// The name of a long one, before its file: a name without a script is none.
Status Store::name_long(std::string_view name) {
    const std::string file = file_of(name);
    if (!file.starts_with(kLong)) return ok();
    return os::replace_file(directory_ + "/" + file.substr(0, file.size() - kSuffix.size()) + ".name", name);
}

void Store::forget_long(const std::string& file) {
    if (!file.starts_with(kLong)) return;
    static_cast<void>(os::unlink(directory_ + "/" + file.substr(0, file.size() - kSuffix.size()) + ".name"));
}

Result<Room> Store::put(std::string_view name, std::string_view script) {
    GK_CHECK(check_name(name));
    GK_TRY(const auto held, lock(directory_));
    GK_TRY(const auto room, room_for(name, script.size()));
    if (room != Room::Enough) return room;
    GK_CHECK(name_long(name));
    GK_CHECK(os::replace_file(path_of(name), script));
    return Room::Enough;
}

Status Store::point_active(const std::string& file) {
    const std::string fresh = fmt::format("{}/.active.{}", directory_, new_id());
    if (::symlink(file.c_str(), fresh.c_str()) != 0) return fail_errno(fmt::format("cannot make '{}'", fresh));
    if (const auto moved = os::rename(fresh, directory_ + std::string(kActive)); !moved) {
        static_cast<void>(os::unlink(fresh));
        return moved;
    }
    return os::sync_directory(directory_);
}

Status Store::activate(std::string_view name) {
    if (name.empty()) {
        if (active_file().empty()) return ok();
        GK_TRY(const auto held, lock(directory_));
        const auto gone = os::unlink(directory_ + std::string(kActive));
        if (!gone && gone.error().code != Errc::NotFound) return gone;
        return os::sync_directory(directory_);
    }
    GK_CHECK(check_name(name));
    GK_TRY(const auto held, lock(directory_));
    if (!os::exists(path_of(name))) return fail(no_such(name));
    return point_active(file_of(name));
}

Status Store::remove(std::string_view name) {
    GK_CHECK(check_name(name));
    GK_TRY(const auto held, lock(directory_));
    const std::string file = file_of(name);
    if (!os::exists(directory_ + "/" + file)) return fail(no_such(name));
    if (active_file() == file)
        return fail(Errc::Denied, fmt::format("'{}' is the active script", text::printable(name)));
    GK_CHECK(os::unlink(directory_ + "/" + file));
    forget_long(file);
    return os::sync_directory(directory_);
}

Status Store::rename(std::string_view from, std::string_view to) {
    GK_CHECK(check_name(from));
    GK_CHECK(check_name(to));
    GK_TRY(const auto held, lock(directory_));
    const std::string before = file_of(from), after = file_of(to);
    if (!os::exists(directory_ + "/" + before)) return fail(no_such(from));
    if (os::exists(directory_ + "/" + after))
        return fail(Errc::Exists, fmt::format("there is a script named '{}' already", text::printable(to)));
    GK_CHECK(name_long(to));
    // Under both names, then the link, then the new one alone: filtering never stops.
    GK_CHECK(os::link(directory_ + "/" + before, directory_ + "/" + after));
    GK_CHECK(os::sync_directory(directory_));
    if (active_file() == before) GK_CHECK(point_active(after));
    GK_CHECK(os::unlink(directory_ + "/" + before));
    forget_long(before);
    return os::sync_directory(directory_);
}

Result<std::optional<Store::Active>> Store::active() const {
    const std::string file = active_file();
    if (file.empty() || !os::exists(directory_ + "/" + file)) return std::optional<Active>();
    std::string name = name_of(file);
    // An administrator's link to a file named otherwise counts as well.
    return Active{name.empty() ? file : std::move(name), directory_ + "/" + file};
}

Result<std::string> read_script(const std::string& path, std::uint64_t limit, bool links) {
    const os::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | (links ? 0 : O_NOFOLLOW)));
    if (!fd && errno != ELOOP) return fail_errno(fmt::format("cannot open '{}'", path));
    struct stat st {};
    if (!fd || ::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode))
        return fail(Errc::BadInput, fmt::format("'{}' is no regular file", path));
    std::string text;
    char buffer[16 * 1024];
    for (;;) {
        const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_errno(fmt::format("cannot read '{}'", path));
        if (count == 0) return text;
        text.append(buffer, static_cast<std::size_t>(count));
        if (text.size() > limit)
            return fail(Errc::BadInput, fmt::format("cannot read '{}': larger than {} bytes", path, limit));
    }
}

Result<std::vector<std::string>> scripts_in(const std::string& directory) {
    std::vector<std::string> scripts;
    if (directory.empty()) return scripts;
    const auto entries = os::list_directory(directory);
    if (!entries && entries.error().code == Errc::NotFound) return scripts;
    if (!entries) return fail(entries.error());
    for (const auto& entry : *entries)
        if (!entry.is_directory && entry.name.ends_with(kSuffix) && entry.name.front() != '.')
            scripts.push_back(directory + "/" + entry.name);
    std::sort(scripts.begin(), scripts.end());
    return scripts;
}

}  // namespace gk::sieve_scripts
