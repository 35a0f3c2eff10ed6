// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/result.hpp"

// A program's command line, described once as data: parsing, --help, completions and the OPTIONS of
// its manual page are all rendered from it. CLI11 stays behind this header.
namespace gk::cli {

// Where an option's value goes. The value already there is the default that help shows.
using Target = std::variant<bool*, std::string*, std::int64_t*, std::vector<std::string>*>;

struct Option {
    std::string names;  // "-j,--json"
    Target target;
    std::string help;
    std::string value = {};  // what the value is called: "DIR", "N"; empty for a switch
};

struct Operand {
    std::string name;  // "address"; shown in capitals
    std::variant<std::string*, std::vector<std::string>*> target;
    std::string help;
    bool required = true;
};

struct Command {
    std::string name;  // the verb: "add"
    std::string summary;
    std::vector<Option> options = {};
    std::vector<Operand> operands = {};
    std::function<int()> run;
};

struct Tool {
    std::string name;                    // "gk-user"
    std::string summary;                 // one line, no full stop
    std::string description = {};        // a paragraph or two for --help
    std::vector<Option> options = {};    // valid before and after every verb
    std::vector<Operand> operands = {};  // for tools without verbs
    std::vector<Command> commands = {};
    std::vector<std::string> examples = {};  // "command line  # what it does"
    std::function<int()> run = {};           // for tools without verbs
};

// Parses, then runs the verb (or TOOL.run) and returns its exit code. Also answers --help, --version,
// and, for packaging and tests, the hidden first arguments `__complete bash|zsh|fish` (prints a
// completion script), `__mdoc` (prints the OPTIONS and COMMANDS in mdoc) and `__json` (the tool as JSON).
// A wrong command line prints one line to stderr, with a near match where there is one, and returns 64.
int run(const Tool& tool, int argc, char** argv);

// sysexits for an error: BadInput 65, NotFound 66, Unsupported 69, Bug 70, Exists 73, Temporary,
// Timeout and Closed 75, Denied 77, Config 78, Permanent 74.
int exit_code(Errc code) noexcept;
// Prints "PROGRAM: text" on stderr, in red on a terminal; returns exit_code.
int fail(const Error& error);
int usage(const std::string& text);  // the same for a wrong command line; returns 64

bool stdout_is_terminal() noexcept;
bool stderr_is_terminal() noexcept;
bool use_colour() noexcept;  // a terminal, and NO_COLOR is not set

// A list on stdout: one JSON object a line, or tab-separated columns (aligned, with a heading, on a terminal).
class Rows {
public:
    Rows(bool json, std::vector<std::string> columns);
    ~Rows();  // flushes what alignment held back
    // A cell is text or, to be unquoted in JSON, a number or a bool. Control characters are escaped on a terminal.
    using Cell = std::variant<std::string, std::int64_t, bool>;
    void add(std::vector<Cell> cells);

private:
    bool json_;
    std::vector<std::string> columns_;
    std::vector<std::vector<std::string>> held_;
};

// A secret from FILE ("-": stdin up to the first line end), or asked for twice on the terminal where FILE
// is empty and a terminal is there. Never from an argument.
Result<std::string> read_secret(const std::string& file, const std::string& prompt, bool twice = true);
// Asks "question [y/N]" on the terminal; true without asking where YES is set; false where no terminal is.
bool confirm(const std::string& question, bool yes);
// Lines (or NUL-ended items) of stdin, for operands given as "-".
std::vector<std::string> read_items(bool nul);

// A bar on stderr: only on a terminal, only after two seconds.
class Progress {
public:
    Progress(std::string what, std::uint64_t total);
    ~Progress();
    void advance(std::uint64_t by = 1);

private:
    std::string what_;
    std::uint64_t total_, done_ = 0;
    std::int64_t started_ms_, drawn_ms_ = 0;
};

}  // namespace gk::cli
