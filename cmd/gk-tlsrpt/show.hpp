// SPDX-License-Identifier: MIT
#pragma once

#include "common/reports/tool.hpp"

namespace gk::tlsrpt_tool {

int report(const reports::ToolArguments& arguments);                       // sums for each domain
int show(const reports::ToolArguments& arguments, const std::string& id);  // one report as it came

}  // namespace gk::tlsrpt_tool
