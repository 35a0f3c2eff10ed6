// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-authd/gk_authd.hpp"
#include "common/cli/cli.hpp"

using namespace gk;

int main(int argc, char** argv) {
    const char* const given = std::getenv("GK_ROOT");
    std::string root = given != nullptr ? given : "";
    cli::Tool tool;
    tool.name = "gk-authd";
    tool.summary = "say yes or no to credentials";
    tool.description =
        "The one daemon that can read auth.db. Others ask it over the socket that the service manager hands over.";
    tool.options = {{"--root", &root, "where everything of this gk lives, instead of the system's places", "DIR"}};
    tool.commands = {{.name = "serve", .summary = "answer on the auth socket until SIGTERM", .run = [&] {
                          return authd::serve(root);
                      }}};
    tool.examples = {"gk-authd serve --root /tmp/gk  # as gk-up starts it"};
    return cli::run(tool, argc, argv);
}
