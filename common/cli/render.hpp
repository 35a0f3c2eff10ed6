// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "common/cli/cli.hpp"

// What is rendered from a Tool; for cli::run alone.
namespace gk::cli {

void remember_program(const std::string& name);
int print_help(const Tool& tool, const Command* command);
int print_completion(const Tool& tool, std::string_view shell);
int print_mdoc(const Tool& tool);
int print_json(const Tool& tool);

}  // namespace gk::cli
