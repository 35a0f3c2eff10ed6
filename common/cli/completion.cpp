// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/cli/render.hpp"

namespace gk::cli {

namespace {

struct Word {
    std::string word, help;
    bool takes_value;
    bool is_file;
};

bool names_a_file(const Option& option) {
    return option.value == "FILE" || option.value == "DIR" || option.value == "PATH";
}

std::vector<Word> words_of(const std::vector<Option>& options) {
    std::vector<Word> words;
    for (const auto& option : options)
        for (const auto part : text::split(option.names, ','))
            words.push_back(
                {std::string(part), option.help, !std::holds_alternative<bool*>(option.target), names_a_file(option)});
    return words;
}

std::vector<Word> common_words(const Tool& tool) {
    auto words = words_of(tool.options);
    words.push_back({"--help", "this text", false, false});
    words.push_back({"--version", "the version", false, false});
    return words;
}

std::string joined(const std::vector<Word>& words) {
    std::vector<std::string> names;
    for (const auto& word : words) names.push_back(word.word);
    return text::join(names, " ");
}

std::string identifier(const std::string& name) { return text::replace_all(name, "-", "_"); }

// For a single-quoted word of a shell.
std::string quoted(std::string_view s) { return text::replace_all(s, "'", "'\\''"); }

void bash(const Tool& tool) {
    const std::string name = identifier(tool.name);
    fmt::print("# bash completion for {0}, printed by `{0} __complete bash`\n_{1}() {{\n", tool.name, name);
    fmt::print("    local cur=${{COMP_WORDS[COMP_CWORD]}} verb= word\n    COMPREPLY=()\n");
    if (!tool.commands.empty()) {
        std::vector<std::string> verbs;
        for (const auto& command : tool.commands) verbs.push_back(command.name);
        fmt::print(
            "    for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n        case $word in\n        {}) verb=$word; "
            "break ;;\n        esac\n    done\n",
            text::join(verbs, "|"));
        fmt::print("    local words='{} {}'\n    case $verb in\n", text::join(verbs, " "), joined(common_words(tool)));
        for (const auto& command : tool.commands) {
            auto words = words_of(command.options);
            const auto more = common_words(tool);
            words.insert(words.end(), more.begin(), more.end());
            fmt::print("    {}) words='{}' ;;\n", command.name, joined(words));
        }
        fmt::print("    esac\n");
    } else {
        fmt::print("    local words='{}'\n", joined(common_words(tool)));
    }
    fmt::print("    if [[ $cur == -* || ( -z $verb && {} -gt 0 ) ]]; then\n", tool.commands.size());
    fmt::print("        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n    else\n");
    fmt::print(
        "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n    fi\n}}\ncomplete -o filenames -F _{} {}\n", name,
        tool.name);
}

std::string zsh_spec(const Word& word) {
    std::string help =
        text::replace_all(text::replace_all(text::replace_all(word.help, "[", "("), "]", ")"), ":", "\\:");
    std::string spec = fmt::format("'{}[{}]", word.word, quoted(help));
    if (word.takes_value) spec += word.is_file ? ":file:_files" : ":value: ";
    return spec + "'";
}

void zsh_arguments(const std::vector<Word>& words, std::string_view indent) {
    fmt::print("{}_arguments -s", indent);
    for (const auto& word : words) fmt::print(" \\\n{}    {}", indent, zsh_spec(word));
    fmt::print(" \\\n{}    '*:operand:_files'\n", indent);
}

void zsh(const Tool& tool) {
    fmt::print("#compdef {0}\n# zsh completion for {0}, printed by `{0} __complete zsh`\n", tool.name);
    if (tool.commands.empty()) {
        zsh_arguments(common_words(tool), "");
        return;
    }
    fmt::print("local -a verbs\nverbs=(\n");
    for (const auto& command : tool.commands)
        fmt::print("    '{}:{}'\n", command.name, quoted(text::replace_all(command.summary, ":", "\\:")));
    fmt::print(")\nlocal verb=${{words[(r)(");
    for (std::size_t i = 0; i < tool.commands.size(); ++i) fmt::print("{}{}", i > 0 ? "|" : "", tool.commands[i].name);
    fmt::print(")]}}\ncase $verb in\n");
    for (const auto& command : tool.commands) {
        auto words = words_of(command.options);
        const auto more = common_words(tool);
        words.insert(words.end(), more.begin(), more.end());
        fmt::print("{})\n", command.name);
        zsh_arguments(words, "    ");
        fmt::print("    ;;\n");
    }
    fmt::print("*)\n    _describe command verbs\n    ;;\nesac\n");
}

void fish_words(const Tool& tool, const std::vector<Word>& words, std::string_view condition) {
    for (const auto& word : words) {
        const bool is_long = word.word.starts_with("--");
        fmt::print("complete -c {}{} -{} {}{} -d '{}'\n", tool.name, condition, is_long ? "l" : "s",
                   word.word.substr(is_long ? 2 : 1), word.takes_value ? (word.is_file ? " -r -F" : " -x") : "",
                   text::replace_all(word.help, "'", "\\'"));
    }
}

void fish(const Tool& tool) {
    fmt::print("# fish completion for {0}, printed by `{0} __complete fish`\n", tool.name);
    fish_words(tool, common_words(tool), "");
    for (const auto& command : tool.commands) {
        fmt::print("complete -c {} -n __fish_use_subcommand -f -a {} -d '{}'\n", tool.name, command.name,
                   text::replace_all(command.summary, "'", "\\'"));
        fish_words(tool, words_of(command.options), fmt::format(" -n '__fish_seen_subcommand_from {}'", command.name));
    }
}

}  // namespace

int print_completion(const Tool& tool, std::string_view shell) {
    if (shell == "bash") bash(tool);
    else if (shell == "zsh") zsh(tool);
    else if (shell == "fish") fish(tool);
    else return usage("completions are for bash, zsh or fish");
    return 0;
}

}  // namespace gk::cli
