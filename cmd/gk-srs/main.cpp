// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/os/file.hpp"
#include "common/os/owner.hpp"
#include "common/srs/srs.hpp"

using namespace gk;

namespace {

struct Arguments {
    std::string root, domain;
    bool json = false;
    std::vector<std::string> addresses;
};

struct Open {
    config::Config config;
    srs::Secrets secrets;
};

Result<std::unique_ptr<Open>> open(const Arguments& arguments) {
    const auto paths = config::Paths::under(arguments.root);
    GK_TRY(auto config, config::Config::load(paths));
    const std::string folder = paths.keys + "/srs";
    if (os::exists(folder)) GK_CHECK(os::become_owner_of(folder));
    return std::unique_ptr<Open>(new Open{std::move(config), srs::Secrets(folder)});
}

Result<std::vector<std::string>> secrets_of(const Open& opened) {
    auto secrets = opened.secrets.read();
    if (!secrets && secrets.error().code == Errc::NotFound)
        return fail(Errc::NotFound, fmt::format("there is no secret yet in '{}': gk-deliver makes one when it starts, "
                                                "or gk-srs rotate does",
                                                opened.secrets.path()));
    return secrets;
}

int forward(const Arguments& arguments) {
    const auto opened = open(arguments);
    if (!opened) return cli::fail(opened.error());
    const auto secrets = secrets_of(**opened);
    if (!secrets) return cli::fail(secrets.error());
    const std::string& domain = arguments.domain.empty() ? (*opened)->config.string("srs.domain") : arguments.domain;
    if (domain.empty()) return cli::usage("which domain forwards it? --domain");
    cli::Rows rows(arguments.json, {"reverse_path"});
    for (const auto& address : arguments.addresses) rows.add({srs::rewrite(address, domain, secrets->front(), now())});
    return 0;
}

int reverse(const Arguments& arguments) {
    const auto opened = open(arguments);
    if (!opened) return cli::fail(opened.error());
    const auto secrets = secrets_of(**opened);
    if (!secrets) return cli::fail(secrets.error());
    int code = 0;
    cli::Rows rows(arguments.json, {"reverse_path"});
    for (const auto& address : arguments.addresses) {
        const auto found = srs::restore(std::string_view(address).substr(0, address.rfind('@')), *secrets,
                                        (*opened)->config.duration_s("srs.max_age"), now());
        if (found) {
            rows.add({*found});
            continue;
        }
        (void)cli::fail(found.error().in(text::printable(address)));
        code = 1;
    }
    return code;
}

int list(const Arguments& arguments) {
    const auto opened = open(arguments);
    if (!opened) return cli::fail(opened.error());
    const auto entries = (*opened)->secrets.entries();
    if (!entries) return cli::fail(entries.error());
    cli::Rows rows(arguments.json, {"created", "use"});
    for (const auto& entry : *entries)
        rows.add({format_rfc3339(from_unix_s(entry.created_s)),
                  std::string(&entry == &entries->front() ? "signs" : "restores")});
    return 0;
}

int rotate(const Arguments& arguments) {
    const auto opened = open(arguments);
    if (!opened) return cli::fail(opened.error());
    const Status done = (*opened)->secrets.rotate((*opened)->config.duration_s("srs.max_age"), now());
    return done ? 0 : cli::fail(done.error());
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    const char* const root = std::getenv("GK_ROOT");
    arguments.root = root != nullptr ? root : "";

    cli::Tool tool;
    tool.name = "gk-srs";
    tool.summary = "rewritten senders of forwarded mail, and the secret that proves them ours";
    tool.description =
        "Mail from outside that an alias sends on to the outside gets a reverse-path of ours (SRS), by which reports "
        "come "
        "back. What gk-deliver does with one, these commands do by hand.";
    tool.options = {
        {"--root", &arguments.root, "where everything of this gk lives, instead of the system's places", "DIR"},
        {"-j,--json", &arguments.json, "one JSON object a line"}};
    const cli::Operand addresses{"address", &arguments.addresses, "addresses"};
    tool.commands = {
        {.name = "forward",
         .summary = "print what reverse-paths become",
         .options = {{"--domain", &arguments.domain, "the domain that forwards; without it srs.domain", "DOMAIN"}},
         .operands = {addresses},
         .run = [&] { return forward(arguments); }},
        {.name = "reverse",
         .summary = "print whom rewritten addresses stand for; exit code 1 where one is not ours or too old",
         .operands = {addresses},
         .run = [&] { return reverse(arguments); }},
        {.name = "list",
         .summary = "list the secrets by age, not what they are",
         .run = [&] { return list(arguments); }},
        {.name = "rotate",
         .summary = "make a new secret; those before it restore what they made until srs.max_age is over",
         .run = [&] { return rotate(arguments); }},
    };
    tool.examples = {"gk-srs forward bob@b.test --domain a.test  # what a.test would send it on as",
                     "gk-srs rotate  # after the old secret became known, or once a year"};
    return cli::run(tool, argc, argv);
}
