// SPDX-License-Identifier: MIT
#include <sys/stat.h>
#include <algorithm>

#include "cmd/gk-spam/gk_spam.hpp"
#include "common/cli/cli.hpp"
#include "common/directory/directory.hpp"
#include "common/directory/homes.hpp"
#include "common/os/file.hpp"
#include "common/os/input.hpp"
#include "common/os/owner.hpp"

namespace gk::spam_tool {

namespace {

bool is_directory(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// The message files below a directory, in order of their names: a Maildir's new and cur, else all that is there.
Result<std::vector<std::string>> files_of(const std::string& directory) {
    GK_TRY(auto entries, os::list_directory(directory));
    const bool maildir =
        std::any_of(entries.begin(), entries.end(), [](const auto& e) { return e.is_directory && e.name == "cur"; });
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    std::vector<std::string> files;
    for (const auto& entry : entries) {
        const std::string path = directory + '/' + entry.name;
        if (maildir && entry.name != "new" && entry.name != "cur") continue;
        if (!entry.is_directory) {
            if (!entry.name.starts_with('.')) files.push_back(path);
            continue;
        }
        GK_TRY(auto below, files_of(path));
        files.insert(files.end(), std::make_move_iterator(below.begin()), std::make_move_iterator(below.end()));
    }
    return files;
}

// An mbox begins with "From "; each such line behind an empty one begins a message (RFC 4155).
Status read_mbox(const std::string& name, std::string_view bytes, const Sink& sink) {
    std::size_t number = 0;
    while (!bytes.empty()) {
        const std::size_t next = bytes.find("\n\nFrom ");
        std::string_view message = bytes.substr(0, next == std::string_view::npos ? next : next + 1);
        message.remove_prefix(std::min(message.find('\n'), message.size() - 1) + 1);
        GK_CHECK(sink(name + ':' + std::to_string(++number), message));
        bytes.remove_prefix(next == std::string_view::npos ? bytes.size() : next + 2);
    }
    return ok();
}

Status read_file(const std::string& path, const Sink& sink) {
    GK_TRY(const auto input, os::Input::open(path));
    if (input.bytes().starts_with("From ")) return read_mbox(path, input.bytes(), sink);
    return sink(path, input.bytes());
}

}  // namespace

Result<std::vector<std::string>> files_below(const std::string& directory) { return files_of(directory); }

Status read_messages(const std::string& path, const Sink& sink) {
    if (path == "-" || !is_directory(path)) return read_file(path, sink);
    GK_TRY(const auto files, files_of(path));
    for (const std::string& file : files) GK_CHECK(read_file(file, sink));
    return ok();
}

std::size_t count_files(const std::vector<std::string>& paths) {
    std::size_t count = 0;
    for (const std::string& path : paths) {
        const auto files = is_directory(path) ? files_of(path) : Result<std::vector<std::string>>();
        count += files && !files->empty() ? files->size() : 1;
    }
    return count;
}

Result<Place> place_of(const Arguments& arguments) {
    if (!arguments.account.empty() && !arguments.home.empty())
        return fail(Errc::BadInput, "only one of --account and --home");
    const auto paths = config::Paths::under(arguments.root);
    Place place;
    // A model somewhere needs no configuration; the defaults do.
    if (!arguments.home.empty()) {
        place.own = arguments.home;
        const bool without = !os::exists(paths.toml);
        GK_TRY(place.config, without ? config::Config::parse("") : config::Config::load(paths));
        return place;
    }
    GK_TRY(place.config, config::Config::load(paths));
    place.shared = spam::shared_directory(paths);
    GK_CHECK(os::become_owner_of(paths.mail));
    if (arguments.account.empty()) return place;
    GK_TRY(const auto account, directory::canonical_account(arguments.account));
    place.own = directory::home_of(paths, account);
    if (!os::exists(place.own)) return fail(Errc::NotFound, "no mail of '" + account + "' is here");
    return place;
}

int failed(const Error& error) { return error.code == Errc::BadInput ? cli::usage(error.text) : cli::fail(error); }

}  // namespace gk::spam_tool
