// SPDX-License-Identifier: MIT
#include "common/events/story.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>

#include "common/os/file.hpp"

namespace gk::events {

namespace {

constexpr std::size_t kMaxPart = 1 << 20;
constexpr std::string_view kLinks[] = {"id", "queue", "dsn"};

Result<std::vector<std::string>> log_files(const std::string& directory) {
    GK_TRY(const auto entries, os::list_directory(directory));
    std::vector<std::string> names;
    for (const auto& entry : entries)
        if (!entry.is_directory && entry.name.ends_with(".log")) names.push_back(directory + "/" + entry.name);
    std::sort(names.begin(), names.end());
    return names;
}

// Complete lines from OFFSET on; PART holds the beginning of the next. Returns where it stopped.
Result<std::uint64_t> read_lines(int fd, std::uint64_t offset, std::string& part,
                                 const std::function<void(std::string_view)>& take) {
    std::vector<char> buffer(256 * 1024);
    for (;;) {
        const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (n < 0) return fail_errno("cannot read a log");
        if (n == 0) return offset;
        offset += static_cast<std::uint64_t>(n);
        std::string_view rest(buffer.data(), static_cast<std::size_t>(n));
        for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
            if (part.empty()) {
                take(rest.substr(0, end));
            } else {
                part += rest.substr(0, end);
                take(part);
                part.clear();
            }
        }
        if (part.size() + rest.size() <= kMaxPart) part += rest;  // what is longer is no event of ours
    }
}

}  // namespace

Status read_logs(const std::string& log_directory, const std::function<void(std::string_view)>& take) {
    GK_TRY(const auto files, log_files(log_directory));
    for (const auto& path : files) {
        const os::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd) return fail_errno(fmt::format("cannot open '{}'", path));
        std::string part;
        const auto end = read_lines(fd.get(), 0, part, take);
        if (!end) return fail(end.error().in(path));
    }
    return ok();
}

Result<std::vector<Record>> trace(const std::string& id, const Lines& lines,
                                  std::optional<Record> (*parse)(std::string_view)) {
    std::set<std::string, std::less<>> ids = {id};
    for (;;) {
        std::vector<Record> found;
        const std::size_t known = ids.size();
        GK_CHECK(lines([&](std::string_view line) {
            // Most lines are of other messages: look before parsing.
            if (std::none_of(ids.begin(), ids.end(),
                             [&](const std::string& one) { return line.find(one) != std::string_view::npos; }))
                return;
            auto record = parse(line);
            if (!record) return;
            const bool ours = std::any_of(std::begin(kLinks), std::end(kLinks),
                                          [&](std::string_view link) { return ids.contains(record->field(link)); });
            if (!ours) return;
            for (const auto link : kLinks)
                if (const auto value = record->field(link); !value.empty()) ids.emplace(value);
            found.push_back(std::move(*record));
        }));
        if (ids.size() == known) {
            std::stable_sort(found.begin(), found.end(),
                             [](const Record& a, const Record& b) { return a.time < b.time; });
            return found;
        }
    }
}

Follower::Follower(std::string log_directory, bool from_start)
    : directory_(std::move(log_directory)), from_start_(from_start) {
    if (from_start_) return;
    if (const auto files = log_files(directory_))
        for (const auto& path : *files) {
            struct stat status {};
            if (::stat(path.c_str(), &status) == 0)
                tails_[path] = {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size), {}};
        }
}

Status Follower::poll(const std::function<void(std::string_view)>& take) {
    GK_TRY(const auto files, log_files(directory_));
    for (const auto& path : files) {
        const os::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        struct stat status {};
        if (!fd || ::fstat(fd.get(), &status) != 0) continue;  // just rotated away
        auto& tail = tails_[path];
        if (tail.device != status.st_dev || tail.inode != status.st_ino ||
            static_cast<std::uint64_t>(status.st_size) < tail.offset)
            tail = {status.st_dev, status.st_ino, 0, {}};
        if (static_cast<std::uint64_t>(status.st_size) == tail.offset) continue;
        GK_TRY(tail.offset, read_lines(fd.get(), tail.offset, tail.part, take));
    }
    return ok();
}

}  // namespace gk::events
