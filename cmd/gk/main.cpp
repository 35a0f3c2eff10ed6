// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/os/file.hpp"

using namespace gk;

namespace {

struct Group {
    std::string_view title;
    std::vector<std::string_view> programs;
};

// Every program is in one group; those that are not installed are not shown, those not named here come last.
const std::vector<Group> kGroups = {
    {"Set up and run", {"gk-config", "gk-up", "gk-status", "gk-log"}},
    {"Domains, accounts, addresses", {"gk-domain", "gk-user", "gk-alias"}},
    {"Mail", {"gk-mailbox", "gk-search", "gk-spam", "gk-mime", "gk-sieve", "gk-queue", "gk-deliver"}},
    {"Trust",
     {"gk-spf", "gk-dkim", "gk-dmarc", "gk-tlsrpt", "gk-arc", "gk-srs", "gk-gate", "gk-authres", "gk-tls-policy",
      "gk-dns-check"}},
    {"Daemons", {"gk-smtpd", "gk-frontd", "gk-imapd", "gk-sieved", "gk-authd"}},
};

std::string own_directory() {
    char resolved[PATH_MAX];
    if (::realpath("/proc/self/exe", resolved) == nullptr) return "/usr/bin";
    const std::string self = resolved;
    return self.substr(0, self.rfind('/'));
}

std::vector<std::string> installed() {
    std::vector<std::string> names;
    const std::string directory = own_directory();
    if (const auto entries = os::list_directory(directory))
        for (const auto& entry : *entries)
            if (!entry.is_directory && entry.name.starts_with("gk-") &&
                ::access((directory + "/" + entry.name).c_str(), X_OK) == 0)
                names.push_back(entry.name);
    std::sort(names.begin(), names.end());
    return names;
}

// Every program tells what it is in its own words.
std::string summary_of(const std::string& program) {
    std::FILE* pipe = ::popen(
        fmt::format("'{}/{}' __json 2>/dev/null", text::replace_all(own_directory(), "'", "'\\''"), program).c_str(),
        "re");
    if (pipe == nullptr) return "";
    std::string said;
    char buffer[4096];
    for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) said.append(buffer, n);
    ::pclose(pipe);
    boost::system::error_code error;
    const auto value = boost::json::parse(boost::json::string_view(said), error);
    if (error || !value.is_object()) return "";
    const auto* summary = value.get_object().if_contains("summary");
    return summary != nullptr && summary->is_string() ? std::string(summary->get_string()) : "";
}

int overview() {
    auto names = installed();
    auto show = [&](const std::string& name) { fmt::print("  {:<10} {}\n", name.substr(3), summary_of(name)); };
    fmt::print("usage: gk PROGRAM ...   is   gk-PROGRAM ...\n");
    for (const auto& group : kGroups) {
        std::vector<std::string> here;
        for (const auto program : group.programs)
            if (const auto found = std::find(names.begin(), names.end(), program); found != names.end()) {
                here.push_back(*found);
                names.erase(found);
            }
        if (here.empty()) continue;
        fmt::print("\n{}\n", group.title);
        for (const auto& name : here) show(name);
    }
    if (!names.empty()) fmt::print("\nMore\n");
    for (const auto& name : names) show(name);
    fmt::print("\ngk help PROGRAM shows its manual page.\n");
    return 0;
}

int unknown(const std::string& word) {
    std::vector<std::string> words = {"help"};
    for (const auto& name : installed()) words.push_back(name.substr(3));
    const auto near = text::nearest(word, words);
    return cli::usage(fmt::format("there is no gk-{}: {}", text::printable(word, 60),
                                  near ? fmt::format("did you mean 'gk {}'?", *near) : "'gk help' shows all programs"));
}

bool is_installed(const std::string& word) {
    const auto names = installed();
    return std::find(names.begin(), names.end(), "gk-" + word) != names.end();
}

int help(const std::string& word) {
    if (word.empty()) return overview();
    if (!is_installed(word)) return unknown(word);
    const std::string page = "gk-" + word;
    ::execlp("man", "man", page.c_str(), nullptr);
    // No man here: the program's own help is the next best.
    ::execl((own_directory() + "/" + page).c_str(), page.c_str(), "--help", nullptr);
    return cli::fail(os_error(errno, fmt::format("cannot execute '{}'", page)));
}

int dispatch(char** argv) {
    const std::string word = argv[1];
    if (!is_installed(word)) return unknown(word);
    const std::string program = own_directory() + "/gk-" + word;
    ::execv(program.c_str(), argv + 1);
    return cli::fail(os_error(errno, fmt::format("cannot execute '{}'", program)));
}

}  // namespace

int main(int argc, char** argv) {
    // Before any parsing: what follows the program's name belongs to it alone.
    const std::string_view first = argc > 1 ? argv[1] : "";
    if (!first.empty() && first != "help" && !first.starts_with('-') && !first.starts_with("__")) return dispatch(argv);
    if (first.empty()) return overview();

    std::string word;
    return cli::run({.name = "gk",
                     .summary = "run one of gk's programs, or show what there is",
                     .description = "gk user add … runs gk-user add … from the directory that gk itself is in.",
                     .commands = {{.name = "help",
                                   .summary = "show all programs by group, or one program's manual page",
                                   .operands = {{"program", &word, "its name without gk-", false}},
                                   .run = [&] { return help(word); }}},
                     .examples = {"gk help", "gk help user", "gk user list  # the same as gk-user list"}},
                    argc, argv);
}
