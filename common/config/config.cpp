// SPDX-License-Identifier: MIT
#include "common/config/config.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include "common/base/text.hpp"
#include "common/config/check.hpp"
#include "common/config/document.hpp"
#include "common/os/file.hpp"

namespace gk::config {

struct Loader {
    Config config;
    using Value = Config::Value;

    void defaults() {
        for (const Setting& setting : settings()) {
            auto checked = check_text(setting, setting.default_value, ' ');
            if (!checked) {
                fmt::print(stderr, "default of setting '{}': {}\n", setting.key, checked.error().text);
                std::abort();  // a row of our own table is wrong
            }
            store(config.values_[setting.key], std::move(*checked));
        }
    }

    static void store(Value& value, Checked checked) {
        value.boolean = checked.boolean;
        value.number = checked.number;
        value.text = std::move(checked.text);
        value.list = std::move(checked.list);
    }

    // SHOWN is the name that origin() gives, NAME the one in complaints.
    Status read(std::string_view toml, const std::string& name, const std::string& shown) {
        GK_TRY(const auto entries, read_document(toml, name));
        for (const Entry& entry : entries) {
            if (auto status = take(entry, shown); !status)
                return fail(Errc::Config, fmt::format("{}:{}: {}", name, entry.begin.line, status.error().text));
        }
        return ok();
    }

    Status take(const Entry& entry, const std::string& shown) {
        const std::string key = entry.key();
        const std::string origin = fmt::format("{}:{}", shown, entry.begin.line);
        if (const Setting* setting = find_setting(key)) {
            Value& value = config.values_[key];
            if (setting->type == Type::Table) {
                if (!std::holds_alternative<IsTable>(entry.value)) return fail(Errc::Config, wrong_type(*setting));
            } else {
                GK_TRY(auto checked, check_scalar(*setting, entry.value));
                store(value, std::move(checked));
            }
            value.origin = origin;
            return ok();
        }
        if (auto below = entry_of_table(entry)) return take_below(*below, entry, origin);
        const bool table = std::holds_alternative<IsTable>(entry.value);
        if (table && is_section(key)) return ok();
        return fail(Errc::Config, unknown(key, table));
    }

    // An entry below a Table setting: [queue.routes] "a.test" = "…".
    static const Setting* entry_of_table(const Entry& entry) {
        for (std::size_t depth = entry.path.size() - 1; depth > 0; --depth) {
            const std::vector<std::string> parent(entry.path.begin(),
                                                  entry.path.begin() + static_cast<std::ptrdiff_t>(depth));
            const Setting* setting = find_setting(text::join(parent, "."));
            if (setting && setting->type == Type::Table) return setting;
        }
        return nullptr;
    }

    Status take_below(const Setting& setting, const Entry& entry, const std::string& origin) {
        const std::size_t depth = text::split(setting.key, '.').size();
        const bool direct = entry.path.size() == depth + 1;
        const auto* text = std::get_if<std::string>(&entry.value);
        if (!direct || std::holds_alternative<IsTable>(entry.value))
            return fail(Errc::Config,
                        fmt::format("'{}' takes names with text values; a name with a dot needs quotes", setting.key));
        if (!text) return fail(Errc::Config, fmt::format("'{}' must be a string", entry.key()));
        Value& value = config.values_[setting.key];
        value.table[entry.path.back()] = *text;
        value.origin = origin;
        return ok();
    }

    static Result<std::vector<std::string>> drop_ins(const std::string& directory) {
        std::vector<std::string> names;
        DIR* dir = ::opendir(directory.c_str());
        if (!dir) {
            if (errno == ENOENT) return names;
            return fail_errno(fmt::format("cannot list '{}'", directory));
        }
        while (const dirent* item = ::readdir(dir)) {
            const std::string_view name = item->d_name;
            if (name.size() > 5 && name.ends_with(".toml") && name.front() != '.') names.emplace_back(name);
        }
        ::closedir(dir);
        std::sort(names.begin(), names.end());
        return names;
    }
};

Result<Config> Config::load(const Paths& paths) {
    Loader loader;
    loader.config.paths_ = paths;
    loader.defaults();
    auto main = os::read_file(paths.toml, 1u << 20);
    if (!main) {
        if (main.error().os_errno == ENOENT || main.error().code == Errc::NotFound)
            return fail(Errc::Config, fmt::format("there is no '{}': create it with gk-config init", paths.toml));
        Error error = main.error();
        return fail(std::move(error));
    }
    GK_CHECK(loader.read(*main, paths.toml, "gk.toml"));
    GK_TRY(const auto names, Loader::drop_ins(paths.toml_dir));
    for (const std::string& name : names) {
        const std::string path = paths.toml_dir + "/" + name;
        GK_TRY(const std::string toml, os::read_file(path, 1u << 20));
        GK_CHECK(loader.read(toml, path, "gk.toml.d/" + name));
    }
    return std::move(loader.config);
}

Result<Config> Config::parse(std::string_view toml, const Paths& paths) {
    Loader loader;
    loader.config.paths_ = paths;
    loader.defaults();
    GK_CHECK(loader.read(toml, "gk.toml", "gk.toml"));
    return std::move(loader.config);
}

const Config::Value& Config::value(std::string_view key, Type type) const {
    const auto found = values_.find(key);
    const Setting* setting = find_setting(key);
    if (found == values_.end() || !setting || setting->type != type) {
        fmt::print(stderr, "setting '{}' of type {} was asked for, but there is no such row\n", key, type_name(type));
        std::abort();
    }
    return found->second;
}

bool Config::boolean(std::string_view key) const { return value(key, Type::Boolean).boolean; }
std::int64_t Config::integer(std::string_view key) const { return value(key, Type::Integer).number; }
std::uint64_t Config::size(std::string_view key) const {
    return static_cast<std::uint64_t>(value(key, Type::Size).number);
}
std::int64_t Config::duration_s(std::string_view key) const { return value(key, Type::Duration).number; }
const std::string& Config::string(std::string_view key) const { return value(key, Type::String).text; }
const std::vector<std::string>& Config::strings(std::string_view key) const {
    return value(key, Type::StringList).list;
}
const std::map<std::string, std::string>& Config::table(std::string_view key) const {
    return value(key, Type::Table).table;
}

std::string Config::origin(std::string_view key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? "" : found->second.origin;
}

std::string Config::written(std::string_view key) const {
    const Setting* setting = find_setting(key);
    const auto found = values_.find(key);
    if (!setting || found == values_.end()) return "";
    const Value& value = found->second;
    std::vector<std::string> parts;
    switch (setting->type) {
        case Type::Boolean: return value.boolean ? "true" : "false";
        case Type::Integer: return std::to_string(value.number);
        case Type::Size:
        case Type::Duration:
        case Type::String: return quoted(value.text);
        case Type::StringList:
            for (const auto& item : value.list) parts.push_back(quoted(item));
            return "[" + text::join(parts, ", ") + "]";
        case Type::Table:
            if (value.table.empty()) return "{}";
            for (const auto& [name, item] : value.table) parts.push_back(quoted(name) + " = " + quoted(item));
            return "{ " + text::join(parts, ", ") + " }";
    }
    return "";
}

}  // namespace gk::config
