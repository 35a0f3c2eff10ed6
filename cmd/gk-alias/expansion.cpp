// SPDX-License-Identifier: MIT
#include "cmd/gk-alias/gk_alias.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"

namespace gk::alias_tool {

namespace {

using directory::Expansion;

bool is_end(const Expansion& step) { return step.leads_to.empty(); }
bool is_good(const Expansion& step) {
    if (!is_end(step)) return std::any_of(step.leads_to.begin(), step.leads_to.end(), is_good);
    return step.how == "account" || step.how == "external" || step.how == "postmaster" || step.how == "again";
}
bool has(const Expansion& step, std::string_view how) {
    return step.how == how ||
           std::any_of(step.leads_to.begin(), step.leads_to.end(), [&](const auto& next) { return has(next, how); });
}

std::string words_of(const Expansion& step) {
    std::string words = step.how;
    if (!step.by.empty()) words += " " + step.by;
    if (!step.detail.empty()) words += ", detail " + step.detail;
    return words;
}

void print_tree(const Expansion& step, const std::string& before, const std::string& below) {
    fmt::print("{}{}  ({})\n", before, text::printable(step.address, 1000), text::printable(words_of(step), 1000));
    for (std::size_t i = 0; i < step.leads_to.size(); ++i) {
        const bool last = i + 1 == step.leads_to.size();
        print_tree(step.leads_to[i], below + (last ? "└─ " : "├─ "), below + (last ? "   " : "│  "));
    }
}

// The account or address that a good end is.
std::string end_of(const Expansion& step) { return step.by.empty() ? step.address : step.by; }

// A row an end, in the order of the tree; PATH is the way to it.
void add_rows(cli::Rows& rows, const std::string& asked, const Expansion& step, std::string path, bool through_alias) {
    path += (path.empty() ? "" : " → ") + step.address;
    if (!is_end(step)) {
        for (const auto& next : step.leads_to) add_rows(rows, asked, next, path, true);
        return;
    }
    const bool arrives = step.how == "account" || step.how == "postmaster";
    const std::string how = step.how == "nobody" && !through_alias ? "no-such-user"
                            : arrives && through_alias             ? "alias"
                            : arrives                              ? "account"
                                                                   : step.how;
    rows.add({asked, arrives || step.how == "external" ? end_of(step) : std::string(), how, step.detail, path});
}

}  // namespace

// Asks the same code that gk-deliver asks. Exit code 1: nobody there.
int test(const Arguments& arguments) {
    const auto directory = open(arguments, true);
    if (!directory) return cli::fail(directory.error());
    int code = 0;
    cli::Rows rows(arguments.json, {"address", "leads_to", "how", "detail", "path"});
    for (const std::string& address : arguments.addresses) {
        const auto tree = (*directory)->expand(address);
        if (!tree) {
            code = cli::fail(tree.error());
            continue;
        }
        if (arguments.json) add_rows(rows, address, *tree, "", false);
        else print_tree(*tree, "", "");
        // As gk-deliver would answer: it goes to those that are there, or nowhere.
        if (has(*tree, "error") || (!is_good(*tree) && has(*tree, "circle"))) code = cli::exit_code(Errc::Permanent);
        else if (!is_good(*tree) && code == 0) code = 1;
    }
    return code;
}

}  // namespace gk::alias_tool
