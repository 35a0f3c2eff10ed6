// SPDX-License-Identifier: MIT
#include <fmt/color.h>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/cli/render.hpp"

namespace gk::cli {

namespace {

bool takes_value(const Option& option) { return !std::holds_alternative<bool*>(option.target); }

std::string spelled(const Option& option) {
    std::string names = text::replace_all(option.names, ",", ", ");
    if (takes_value(option)) names += " " + (option.value.empty() ? "VALUE" : option.value);
    return names;
}

std::string default_of(const Option& option) {
    if (const auto* const* value = std::get_if<std::string*>(&option.target); value != nullptr && !(**value).empty())
        return fmt::format(" [{}]", **value);
    if (const auto* const* value = std::get_if<std::int64_t*>(&option.target)) return fmt::format(" [{}]", **value);
    return "";
}

std::string operands_of(const std::vector<Operand>& operands) {
    std::string out;
    for (const auto& operand : operands) {
        std::string name = text::upper(operand.name);
        if (std::holds_alternative<std::vector<std::string>*>(operand.target)) name += " …";
        out += operand.required ? " " + name : " [" + name + "]";
    }
    return out;
}

void print_table(const std::vector<std::pair<std::string, std::string>>& rows) {
    std::size_t width = 0;
    for (const auto& [left, right] : rows) width = std::max(width, std::min<std::size_t>(left.size(), 30));
    for (const auto& [left, right] : rows) {
        if (left.size() > width) fmt::print("  {}\n  {:{}}  {}\n", left, "", width, right);
        else fmt::print("  {:{}}  {}\n", left, width, right);
    }
}

void print_section(std::string_view title, const std::vector<std::pair<std::string, std::string>>& rows) {
    if (rows.empty()) return;
    fmt::print("\n{}:\n", title);
    print_table(rows);
}

std::vector<std::pair<std::string, std::string>> rows_of(const std::vector<Option>& options) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& option : options) rows.emplace_back(spelled(option), option.help + default_of(option));
    return rows;
}

std::vector<std::pair<std::string, std::string>> rows_of(const std::vector<Operand>& operands) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& operand : operands) rows.emplace_back(text::upper(operand.name), operand.help);
    return rows;
}

std::string mdoc_text(std::string_view s) {
    std::string out = text::replace_all(s, "\\", "\\e");
    if (!out.empty() && (out[0] == '.' || out[0] == '\'')) out.insert(0, "\\&");
    return out;
}

void mdoc_options(const std::vector<Option>& options) {
    if (options.empty()) return;
    fmt::print(".Bl -tag -width Ds\n");
    for (const auto& option : options) {
        std::string item = ".It";
        for (const auto part : text::split(option.names, ',')) {
            if (item != ".It") item += " ,";
            item += " Fl " + std::string(part.substr(1));
        }
        if (takes_value(option)) item += " Ar " + (option.value.empty() ? "VALUE" : option.value);
        fmt::print("{}\n{}.\n", item, mdoc_text(option.help));
        if (const auto shown = default_of(option); !shown.empty())
            fmt::print("The default is\n.Ql {} .\n", shown.substr(2, shown.size() - 3));
    }
    fmt::print(".El\n");
}

void mdoc_operands(const std::vector<Operand>& operands) {
    if (operands.empty()) return;
    fmt::print(".Bl -tag -width Ds\n");
    for (const auto& operand : operands)
        fmt::print(".It Ar {}\n{}.\n", text::upper(operand.name), mdoc_text(operand.help));
    fmt::print(".El\n");
}

}  // namespace

int print_help(const Tool& tool, const Command* command) {
    if (command != nullptr) {
        fmt::print("usage: {} {}{}{}\n\n{}\n", tool.name, command->name,
                   command->options.empty() && tool.options.empty() ? "" : " [options]", operands_of(command->operands),
                   command->summary);
        print_section("operands", rows_of(command->operands));
        auto options = rows_of(command->options);
        const auto common = rows_of(tool.options);
        options.insert(options.end(), common.begin(), common.end());
        print_section("options", options);
    } else {
        fmt::print("usage: {}{}{}{}\n\n{}\n", tool.name, tool.options.empty() ? "" : " [options]",
                   tool.commands.empty() ? "" : " COMMAND …", operands_of(tool.operands), tool.summary);
        if (!tool.description.empty()) fmt::print("\n{}\n", tool.description);
        std::vector<std::pair<std::string, std::string>> verbs;
        for (const auto& each : tool.commands) verbs.emplace_back(each.name + operands_of(each.operands), each.summary);
        print_section("commands", verbs);
        print_section("operands", rows_of(tool.operands));
        auto options = rows_of(tool.options);
        options.emplace_back("-h, --help",
                             tool.commands.empty() ? "this text" : "this text, or after a command: that command's");
        options.emplace_back("--version", "the version");
        print_section("options", options);
    }
    std::vector<std::string> examples;
    for (const auto& example : tool.examples)
        if (command == nullptr || example.find(" " + command->name) != std::string::npos) examples.push_back(example);
    if (!examples.empty()) fmt::print("\nexamples:\n");
    for (const auto& example : examples) fmt::print("  {}\n", example);
    return 0;
}

int print_mdoc(const Tool& tool) {
    if (!tool.operands.empty()) {
        fmt::print(".Sh OPERANDS\n");
        mdoc_operands(tool.operands);
    }
    fmt::print(".Sh OPTIONS\n");
    mdoc_options(tool.options);
    fmt::print(
        ".Bl -tag -width Ds\n.It Fl h , Fl -help\nprint a summary and exit.\n.It Fl -version\nprint the version and "
        "exit.\n.El\n");
    if (tool.commands.empty()) return 0;
    fmt::print(".Sh COMMANDS\n");
    for (const auto& command : tool.commands) {
        fmt::print(".Ss {}{}\n{}.\n", command.name, mdoc_text(operands_of(command.operands)),
                   mdoc_text(command.summary));
        mdoc_operands(command.operands);
        mdoc_options(command.options);
    }
    return 0;
}

int print_json(const Tool& tool) {
    const auto options = [](const std::vector<Option>& all) {
        std::string out;
        for (const auto& option : all)
            out += fmt::format("{}{{\"names\":{},\"help\":{},\"value\":{}}}", out.empty() ? "" : ",",
                               log::json_string(option.names), log::json_string(option.help),
                               log::json_string(takes_value(option) ? option.value : ""));
        return out;
    };
    std::string commands;
    for (const auto& command : tool.commands)
        commands +=
            fmt::format("{}{{\"name\":{},\"summary\":{},\"options\":[{}]}}", commands.empty() ? "" : ",",
                        log::json_string(command.name), log::json_string(command.summary), options(command.options));
    fmt::print("{{\"name\":{},\"summary\":{},\"version\":{},\"options\":[{}],\"commands\":[{}]}}\n",
               log::json_string(tool.name), log::json_string(tool.summary), log::json_string(GK_VERSION),
               options(tool.options), commands);
    return 0;
}

}  // namespace gk::cli
