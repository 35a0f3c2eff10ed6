// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"

// The Sieve scripts of an account: HOME/sieve/NAME.sieve, and of these the active one by the link HOME/sieve/active.
// A plain directory: an editor or rsync may write there too, what is found is what counts.
namespace gk::sieve_scripts {

struct Limits {
    std::size_t scripts = 50;
    std::uint64_t size = 1u << 20;  // bytes of one script
    static Limits from(const config::Config& config);
};

// BadInput for what no script may be called: RFC 5804, 1.6 (Net-Unicode without control characters, not empty; at most
// 128 characters).
Status check_name(std::string_view name);
// The file of the script NAME, without a directory: what a file name cannot hold is percent-encoded, and of a name that
// is too long its digest stands, with the name in a file beside it.
std::string file_of(std::string_view name);

struct Listed {
    std::string name;
    bool active = false;
    bool operator==(const Listed&) const = default;
};
enum class Room { Enough, TooMany, TooLarge };

// One process may write at a time; others wait. What changes is durable on return, and whatever ends us in between
// leaves the script before or after the change, whole, and never no active script where there was one.
class Store {
public:
    Store(const std::string& home, const Limits& limits) : directory_(home + "/sieve"), limits_(limits) {}

    Result<std::vector<Listed>> list() const;  // sorted by name
    Result<std::string> get(std::string_view name) const;
    // Whether a script of that name and size would be taken.
    Result<Room> room_for(std::string_view name, std::uint64_t size) const;
    // Makes or replaces it; stored where the answer is Enough.
    Result<Room> put(std::string_view name, std::string_view script);
    Status activate(std::string_view name);                     // empty: none is active
    Status remove(std::string_view name);                       // Denied for the active one
    Status rename(std::string_view from, std::string_view to);  // the active one stays active; Exists where TO is there

    // The active script's name and file; nothing where there is none, or where the link leads nowhere.
    struct Active {
        std::string name, path;
    };
    Result<std::optional<Active>> active() const;
    const Limits& limits() const noexcept { return limits_; }
    const std::string& directory() const noexcept { return directory_; }
    std::string path_of(std::string_view name) const { return directory_ + "/" + file_of(name); }

private:
    std::string name_of(const std::string& file) const;  // empty: not a script
    std::string active_file() const;
    Status point_active(const std::string& file);
    Status name_long(std::string_view name);
    void forget_long(const std::string& file);

    std::string directory_;
    Limits limits_;
};

// The text of the script in the file PATH, of at most LIMIT bytes; where accounts may write, what is a link is none:
// LINKS are an administrator's. BadInput for anything but a regular file, which is never waited for.
Result<std::string> read_script(const std::string& path, std::uint64_t limit, bool links);

// The scripts *.sieve in DIRECTORY, in the order of their names: what an administrator runs before or after those of
// accounts. None where DIRECTORY is empty or not there.
Result<std::vector<std::string>> scripts_in(const std::string& directory);

}  // namespace gk::sieve_scripts
