// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include "cmd/gk-config/gk_config.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/config/document.hpp"
#include "common/net/network.hpp"
#include "common/os/file.hpp"

namespace gk::config_tool {

namespace {

using config::Setting;
using config::Type;

// What the table of settings cannot say: values that only make sense together with the world.
std::vector<std::string> problems(const config::Config& config) {
    std::vector<std::string> found;
    const auto complain = [&](std::string_view key, std::string_view text) {
        found.push_back(fmt::format("{}: '{}' {}", config.origin(key), key, text));
    };
    for (const Setting& setting : config::settings()) {
        if (setting.type != Type::StringList || !setting.key.ends_with("_networks")) continue;
        if (const auto networks = net::Networks::parse(config.strings(setting.key)); !networks)
            complain(setting.key, networks.error().text);
    }
    const config::Paths& paths = config.paths();
    for (const auto& [key, fallback] :
         {std::pair<std::string, std::string>{"tls.certificate", "default.crt"}, {"tls.key", "default.key"}}) {
        const std::string path = config.string(key).empty() ? paths.keys + "/tls/" + fallback : config.string(key);
        if (!os::exists(path)) complain(key, fmt::format("names '{}', which is not there", path));
    }
    if (!os::exists(paths.directory_db))
        found.push_back(fmt::format("'{}' is not there: gk-config init makes it", paths.directory_db));
    return found;
}

std::string plain(const config::Config& config, const Setting& setting) {
    switch (setting.type) {
        case Type::StringList: return text::join(config.strings(setting.key), "\n");
        case Type::Table: {
            std::vector<std::string> lines;
            for (const auto& [name, value] : config.table(setting.key)) lines.push_back(name + "\t" + value);
            return text::join(lines, "\n");
        }
        case Type::String: return config.string(setting.key);
        default: {
            std::string written = config.written(setting.key);
            if (written.size() >= 2 && written.front() == '"') written = written.substr(1, written.size() - 2);
            return written;
        }
    }
}

}  // namespace

int check(const Arguments& arguments) {
    const auto config = config::Config::load(config::Paths::under(arguments.root));
    // A file that this user may not read is no bad file.
    if (!config && config.error().code != Errc::Config) return cli::fail(config.error());
    std::vector<std::string> found;
    if (!config) found.push_back(config.error().text);
    else found = problems(*config);
    if (arguments.json) {
        cli::Rows rows(true, {"problem"});
        for (const auto& problem : found) rows.add({problem});
    } else {
        for (const auto& problem : found) (void)cli::fail({Errc::Config, problem, 0});
    }
    return found.empty() ? 0 : cli::exit_code(Errc::Config);
}

int show(const Arguments& arguments) {
    const auto config = config::Config::load(config::Paths::under(arguments.root));
    if (!config) return cli::fail(config.error());
    std::vector<std::string> columns = {"key", "value", "origin"};
    cli::Rows rows(true, columns);
    for (const Setting& setting : config::settings()) {
        const std::string origin = config->origin(setting.key);
        if (arguments.changed && origin == "default") continue;
        const std::string written = config->written(setting.key);
        if (arguments.json) rows.add({setting.key, written, origin});
        else if (arguments.origin) fmt::print("{} = {}  # {}\n", setting.key, written, origin);
        else fmt::print("{} = {}\n", setting.key, written);
    }
    return 0;
}

int get(const Arguments& arguments) {
    const auto config = config::Config::load(config::Paths::under(arguments.root));
    if (!config) return cli::fail(config.error());
    const Setting* setting = config::find_setting(arguments.key);
    if (!setting) return cli::fail({Errc::NotFound, config::unknown_setting(arguments.key), 0});
    const std::string value = plain(*config, *setting);
    if (arguments.json) {
        cli::Rows rows(true, {"key", "value", "origin"});
        rows.add({setting->key, value, config->origin(setting->key)});
    } else if (!value.empty() || setting->type == Type::String) {
        fmt::print("{}\n", value);
    }
    return 0;
}

int set(const Arguments& arguments) {
    const auto paths = config::Paths::under(arguments.root);
    const auto run = [&]() -> Status {
        GK_TRY(const std::string old, os::read_file(paths.toml, 1u << 20));
        GK_TRY(const std::string changed, config::with_setting(old, arguments.key, arguments.value));
        if (arguments.dry_run) {
            fmt::print("{}", changed);
            return ok();
        }
        struct stat status {};
        const unsigned mode = ::stat(paths.toml.c_str(), &status) == 0 ? status.st_mode & 0777 : 0644;
        if (changed != old) GK_CHECK(os::replace_file(paths.toml, changed, mode));
        GK_TRY(const auto config, config::Config::load(paths));
        const std::string origin = config.origin(arguments.key);
        if (origin.starts_with("gk.toml.d/")) fmt::print(stderr, "gk-config: {} wins over the new value\n", origin);
        return ok();
    };
    if (const auto status = run(); !status) return cli::fail(status.error());
    return 0;
}

int settings_mdoc() {
    const auto escaped = [](std::string_view s) { return text::replace_all(s, "\\", "\\e"); };
    std::string section;
    std::string out;
    for (const Setting& setting : config::settings()) {
        const std::string own_section = setting.key.substr(0, setting.key.find('.'));
        if (own_section != section) {
            if (!section.empty()) out += ".El\n";
            section = own_section;
            out += fmt::format(".Ss [{}]\n.Bl -tag -width Ds\n", section);
        }
        out += fmt::format(".It Cm {} Pq {}", setting.key, config::type_name(setting.type));
        const std::string& fallback = setting.default_value;
        if (setting.type != Type::Table)
            out += fmt::format(" , default: {}", fallback.empty() ? "empty" : "\\&" + escaped(fallback));
        out += "\n";
        out += "\\&" + text::replace_all(escaped(setting.help), ". ", ".\n\\&") + "\n";  // mdoc: a sentence a line
        if (!setting.choices.empty()) out += fmt::format("One of {}.\n", text::join(setting.choices, ", "));
        const bool numeric =
            setting.type == Type::Integer || setting.type == Type::Size || setting.type == Type::Duration;
        if (numeric) {
            const auto bound = [&](std::int64_t value) {
                if (setting.type == Type::Size) return text::format_size(static_cast<std::uint64_t>(value));
                if (setting.type == Type::Duration) return config::written_duration(value);
                return std::to_string(value);
            };
            if (setting.most == INT64_MAX) out += fmt::format("At least {}.\n", bound(setting.least));
            else out += fmt::format("From {} to {}.\n", bound(setting.least), bound(setting.most));
        }
    }
    if (!section.empty()) out += ".El\n";
    fmt::print("{}", out);
    return 0;
}

}  // namespace gk::config_tool
