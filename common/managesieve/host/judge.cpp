// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/managesieve/host/settings.hpp"
#include "common/sieve_scripts/cache.hpp"
#include "common/sieve_scripts/settings.hpp"

namespace gk::managesieve {

Judge judge(const config::Config& config, const sieve_scripts::Store& store) {
    return [limits = sieve_scripts::language_limits(config), extensions = sieve_scripts::extensions(config),
            global = config.string("sieve.global"), &store](std::string_view script) {
        Judgement judgement;
        const auto add = [](std::string& to, std::string_view line) {
            if (!to.empty()) to += "\r\n";
            to += line;
        };
        sieve_scripts::FileIncludes includes(store, global);
        const auto compiled =
            sieve::compile(script, {.limits = limits, .extensions = extensions, .includes = &includes});
        if (!compiled) {
            judgement.good = false;
            for (const auto& problem : compiled.error()) add(judgement.errors, problem.format("line"));
            return judgement;
        }
        for (const auto& one : (*compiled)->includes())
            if (!one.found)
                add(judgement.warnings,
                    "the script '" + text::printable(one.name, 100) + "' that it includes is not there");
        return judgement;
    };
}

}  // namespace gk::managesieve
