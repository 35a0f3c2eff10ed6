// SPDX-License-Identifier: MIT
#include <cstdlib>
#include <string_view>

#include "cmd/gk-config/gk_config.hpp"
#include "common/cli/cli.hpp"

using namespace gk;

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "__settings_mdoc") return config_tool::settings_mdoc();
    config_tool::Arguments arguments;
    const char* const root = std::getenv("GK_ROOT");
    arguments.root = root != nullptr ? root : "";

    cli::Tool tool;
    tool.name = "gk-config";
    tool.summary = "make, check and change the configuration";
    tool.description =
        "Reads gk.toml and the drop-ins in gk.toml.d as the daemons do. Daemons take changes over at SIGHUP.";
    tool.options = {
        {"--root", &arguments.root, "where everything of this gk lives, instead of the system's places", "DIR"},
        {"-j,--json", &arguments.json, "one JSON object a line"}};
    tool.commands = {
        {.name = "init",
         .summary = "make directories, databases, gk.toml and a self-signed certificate; overwrites nothing",
         .options = {{"--hostname", &arguments.hostname, "this host's name in mail; empty: what the system says",
                      "NAME"}},
         .run = [&] { return config_tool::init(arguments); }},
        {.name = "check",
         .summary = "say what is wrong with the configuration",
         .run = [&] { return config_tool::check(arguments); }},
        {.name = "show",
         .summary = "print every setting and its value",
         .options = {{"--origin", &arguments.origin, "and the file and line it comes from"},
                     {"--changed", &arguments.changed, "only those that are not at their default"}},
         .run = [&] { return config_tool::show(arguments); }},
        {.name = "get",
         .summary = "print one value, without quotes; the entries of a list one a line",
         .operands = {{"key", &arguments.key, "the setting, such as smtp.max_size"}},
         .run = [&] { return config_tool::get(arguments); }},
        {.name = "set",
         .summary = "change gk.toml; comments and order stay",
         .options = {{"-n,--dry-run", &arguments.dry_run, "print the new gk.toml instead"}},
         .operands = {{"key", &arguments.key, "the setting, such as smtp.max_size"},
                      {"value", &arguments.value, "its value; the entries of a list apart by commas"}},
         .run = [&] { return config_tool::set(arguments); }},
    };
    tool.examples = {"gk-config init --root /tmp/gk --hostname mx.a.test  # a gk of one's own, without root's rights",
                     "gk-config show --changed --origin  # what was configured, and where",
                     "gk-config set smtp.max_size 100MB  # change gk.toml"};
    return cli::run(tool, argc, argv);
}
