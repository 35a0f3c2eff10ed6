// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

// gk.toml and its drop-ins (gk.toml.d/*.toml, in name order, later wins). Every setting is one row of the
// table in settings.cpp, which gk-config, gk.toml(5) and the checks are rendered from. An unknown key, a wrong
// type or a value out of bounds is an error with file and line, and the nearest spelling.
namespace gk::config {

// Where everything of one gk lives. With --root DIR all of it is below DIR; without, the system's places.
struct Paths {
    static Paths under(const std::string& root);  // "" for the system: /etc/gk, /var/lib/gk, /run/gk
    std::string toml;                             // gk.toml
    std::string toml_dir;                         // gk.toml.d
    std::string directory_db;                     // gk.db
    std::string auth_db;
    std::string keys;  // keys/: tls/NAME.crt + NAME.key, dkim/
    std::string spool;
    std::string mail;     // mail/DOMAIN/USER/Maildir
    std::string run;      // run/: the sockets NAME.sock
    std::string log;      // log/PROGRAM.log under gk-up; empty for the system (journal)
    std::string reports;  // reports/reports.db: reports received, and which were sent
};

enum class Type { Boolean, Integer, Size, Duration, String, StringList, Table };

struct Setting {
    std::string key;  // "smtp.max_size"
    Type type;
    std::string default_value;  // without quotes ("50MB", "5m"); the entries of a StringList apart by spaces
    std::string help;           // one or two sentences, for gk.toml(5)
    std::int64_t least = 0, most = INT64_MAX;  // for Integer, Size (bytes) and Duration (seconds)
    std::vector<std::string> choices = {};
};

// All settings, sorted by key.
const std::vector<Setting>& settings();
const Setting* find_setting(std::string_view key) noexcept;
std::string_view type_name(Type type) noexcept;  // "boolean", "size" …

class Config {
public:
    // Reads PATHS.toml and the drop-ins. A missing gk.toml is an error that names gk-config init.
    static Result<Config> load(const Paths& paths);
    // For tests: one text in place of files.
    static Result<Config> parse(std::string_view toml, const Paths& paths = {});

    const Paths& paths() const noexcept { return paths_; }
    // KEY must be a row of settings() of that type; anything else is a bug and aborts.
    bool boolean(std::string_view key) const;
    std::int64_t integer(std::string_view key) const;
    std::uint64_t size(std::string_view key) const;       // bytes
    std::int64_t duration_s(std::string_view key) const;  // seconds
    const std::string& string(std::string_view key) const;
    const std::vector<std::string>& strings(std::string_view key) const;
    // A Table setting: free keys below it, with text values (routes: domain = "host:port").
    const std::map<std::string, std::string>& table(std::string_view key) const;
    // "gk.toml:12", "gk.toml.d/10-x.toml:3" or "default".
    std::string origin(std::string_view key) const;
    // The value as one would write it in gk.toml, quotes included; for gk-config.
    std::string written(std::string_view key) const;

private:
    struct Value {
        bool boolean = false;
        std::int64_t number = 0;
        std::string text;
        std::vector<std::string> list;
        std::map<std::string, std::string> table;
        std::string origin = "default";
    };
    const Value& value(std::string_view key, Type type) const;
    friend struct Loader;

    Paths paths_;
    std::map<std::string, Value, std::less<>> values_;
};

}  // namespace gk::config
