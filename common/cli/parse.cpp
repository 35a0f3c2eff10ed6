// SPDX-License-Identifier: MIT
// The one file that includes CLI11: it costs many seconds to compile.
#include <CLI/CLI.hpp>
#include <iostream>

#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/cli/render.hpp"

namespace gk::cli {

namespace {

void add_option(CLI::App& app, const Option& option) {
    std::visit(
        [&](auto* target) {
            using T = std::remove_pointer_t<decltype(target)>;
            if constexpr (std::is_same_v<T, bool>) {
                app.add_flag(option.names, *target, option.help);
            } else {
                auto* added = app.add_option(option.names, *target, option.help);
                // One value each time: "--x a b" must leave b to the operands.
                if constexpr (std::is_same_v<T, std::vector<std::string>>) added->expected(1)->take_all();
            }
        },
        option.target);
}

void add_operand(CLI::App& app, const Operand& operand) {
    std::visit(
        [&](auto* target) {
            auto* added = app.add_option(operand.name, *target, operand.help);
            if (operand.required) added->required();
        },
        operand.target);
}

std::vector<std::string> option_names(const Tool& tool) {
    std::vector<std::string> names{"--help", "--version", "-h"};
    const auto collect = [&](const std::vector<Option>& options) {
        for (const auto& option : options)
            for (const auto part : text::split(option.names, ',')) names.emplace_back(part);
    };
    collect(tool.options);
    for (const auto& command : tool.commands) collect(command.options);
    return names;
}

std::string with_nearest(std::string said, const std::string& word, const std::vector<std::string>& known) {
    if (const auto close = text::nearest(word, known)) said += "; did you mean '" + *close + "'?";
    return said;
}

// What is wrong, in our words: CLI11 forgets which word it stumbled over.
std::string complaint(const Tool& tool, const CLI::App& app, const CLI::ParseError& error,
                      const std::vector<std::string>& words) {
    const bool verb_missing = app.get_subcommands().empty() && !tool.commands.empty() && !tool.run;
    const auto known = option_names(tool);
    std::vector<std::string> verbs;
    for (const auto& command : tool.commands) verbs.push_back(command.name);
    for (const auto& word : words) {
        if (word == "--") break;
        const std::string name = word.substr(0, word.find('='));
        if (name.size() > 1 && name.front() == '-') {
            const bool cluster = name[1] != '-' && std::count(known.begin(), known.end(), name.substr(0, 2)) > 0;
            if (!cluster && std::count(known.begin(), known.end(), name) == 0)
                return with_nearest("unknown option '" + text::printable(name) + "'", name, known);
        } else if (verb_missing) {
            return with_nearest("unknown command '" + text::printable(word) + "'", word, verbs);
        }
    }
    if (verb_missing) return "a command is missing: one of " + text::join(verbs, ", ");
    std::string said = text::printable(error.what());
    if (error.get_name() == "RequiredError")
        return "operand " + text::upper(said.substr(0, said.find(" is required"))) + " is missing";
    if (error.get_name() == "ExtrasError")
        return "one operand too many, or an option of another command: " + said.substr(said.rfind(':') + 2);
    // "Could not convert: --port-base = abc"
    if (const auto equals = said.find(" = ");
        error.get_name() == "ConversionError" && equals != std::string::npos && said.find(": ") < equals) {
        const auto begin = said.find(": ") + 2;
        return "'" + said.substr(equals + 3) + "' is no value for " + said.substr(begin, equals - begin);
    }
    if (!said.empty()) said[0] = text::to_lower(said[0]);
    return said;
}

}  // namespace

int run(const Tool& tool, int argc, char** argv) {
    remember_program(tool.name);
    if (argc == 3 && std::string_view(argv[1]) == "__complete") return print_completion(tool, argv[2]);
    if (argc == 2 && std::string_view(argv[1]) == "__mdoc") return print_mdoc(tool);
    if (argc == 2 && std::string_view(argv[1]) == "__json") return print_json(tool);

    CLI::App app(tool.summary, tool.name);
    app.set_help_flag("-h,--help");
    app.set_version_flag("--version", std::string(tool.name) + " " GK_VERSION);
    for (const auto& option : tool.options) add_option(app, option);
    for (const auto& operand : tool.operands) add_operand(app, operand);
    std::vector<CLI::App*> verbs;
    for (const auto& command : tool.commands) {
        auto* verb = app.add_subcommand(command.name, command.summary);
        verb->set_help_flag("-h,--help");
        verb->fallthrough();  // the tool's options are valid after the verb too
        for (const auto& option : command.options) add_option(*verb, option);
        for (const auto& operand : command.operands) add_operand(*verb, operand);
        verbs.push_back(verb);
    }
    if (!verbs.empty() && !tool.run) app.require_subcommand(1);

    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        for (std::size_t i = 0; i < verbs.size(); ++i)
            if (verbs[i]->parsed()) return print_help(tool, &tool.commands[i]);
        return print_help(tool, nullptr);
    } catch (const CLI::CallForVersion&) {
        std::cout << tool.name << " " GK_VERSION "\n";
        return 0;
    } catch (const CLI::ParseError& error) {
        return usage(complaint(tool, app, error, std::vector<std::string>(argv + 1, argv + argc)));
    }
    for (std::size_t i = 0; i < verbs.size(); ++i)
        if (verbs[i]->parsed()) return tool.commands[i].run();
    return tool.run();
}

}  // namespace gk::cli
