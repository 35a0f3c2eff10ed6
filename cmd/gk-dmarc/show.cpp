// SPDX-License-Identifier: MIT
#include <cstdio>

#include <fmt/format.h>

#include "cmd/gk-dmarc/commands.hpp"
#include "common/base/text.hpp"
#include "common/mailauth/dmarc/configure.hpp"
#include "common/mailauth/dmarc/survey.hpp"

namespace gk::dmarc_tool {

using namespace mailauth;

namespace {

struct Arguments {
    std::string domain;
};

int show(const Common& common, const Arguments& a) {
    const auto source = open_source(common.dns);
    if (!source) return cli::fail(source.error());
    const auto configured = dmarc::Configured::load(common.dns.root);
    if (!configured) return cli::fail(configured.error());
    const auto survey = dmarc::survey(a.domain, **source, configured->options());
    {
        cli::Rows rows(common.json, {"what", "name", "value", "note"});
        for (const auto& line : survey.lines)
            rows.add({line.what, line.name, text::printable(line.value, 1000), line.note});
    }
    std::fflush(stdout);
    for (const auto& problem : survey.problems) std::fprintf(stderr, "gk-dmarc: %s\n", problem.c_str());
    for (const auto& remark : survey.remarks) std::fprintf(stderr, "gk-dmarc: %s\n", remark.c_str());
    if (!survey.domain.empty()) std::fprintf(stderr, "gk-dmarc: %zu of 8 queries\n", survey.queries);
    if (survey.temporary) return 75;
    return survey.none || !survey.problems.empty() ? 1 : 0;
}

}  // namespace

cli::Command show_command(const Common& common) {
    static Arguments a;
    return {.name = "show",
            .summary = "show the record that applies to mail from a domain, how it is found, and who gets its reports",
            .operands = {{"domain", &a.domain, "whose mail"}},
            .run = [&common] { return show(common, a); }};
}

}  // namespace gk::dmarc_tool
