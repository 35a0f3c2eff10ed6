// SPDX-License-Identifier: MIT
#include <cstdio>

#include <fmt/format.h>

#include "cmd/gk-authres/arguments.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/mailauth/gate/results.hpp"
#include "common/os/file.hpp"
#include "common/os/input.hpp"

namespace gk::authres_tool {

using namespace mailauth;

namespace {

Result<std::shared_ptr<const gate::Options>> options_of(const std::string& root) {
    const auto paths = config::Paths::under(root);
    // Anybody may ask: without a configuration, or without permission to read it, the defaults count.
    if (os::exists(paths.toml)) {
        const auto config = config::Config::load(paths);
        if (config) return gate::Options::from(*config);
        if (config.error().code != Errc::Denied) return fail(config.error());
    }
    GK_TRY(const auto defaults, config::Config::parse(""));
    return gate::Options::from(defaults);
}

void print(bool json, const std::vector<gate::VerdictLine>& lines) {
    if (!json) {
        cli::Rows rows(false, {"check", "result", "score", "domain", "reason"});
        for (const auto& line : lines)
            rows.add({line.check, line.result, static_cast<std::int64_t>(line.score), line.domain, line.reason});
        return;
    }
    for (const auto& line : lines)
        fmt::print("{{\"check\":{},\"result\":{},\"score\":{},\"domain\":{},\"reasons\":[{}]}}\n",
                   log::json_string(line.check), log::json_string(line.result), line.score,
                   log::json_string(line.domain), log::json_string(line.reason));
}

int exit_code(gate::Decision::Action action) {
    using Action = gate::Decision::Action;
    return action == Action::Accept ? 0 : action == Action::Defer ? 75 : 1;
}

}  // namespace

int check(const Arguments& a) {
    const auto ip = Ip::parse(a.ip);
    if (!ip)
        return cli::usage(a.ip.empty() ? "--ip is needed: the client's address"
                                       : "'" + text::printable(a.ip) + "' is not an IP address");
    if (a.helo.empty()) return cli::usage("--helo is needed: who the client says it is");
    if (a.sample < 0 || a.sample > 99) return cli::usage("--sample is 0 to 99");
    const auto options = options_of(a.dns.root);
    if (!options) return cli::fail(options.error());
    const auto source = open_source(a.dns);
    if (!source) return cli::fail(source.error());

    gate::Facts facts;
    facts.ip = *ip;
    facts.helo = a.helo;
    facts.mail_from = a.from;
    if (a.from.starts_with('<') && a.from.ends_with('>')) facts.mail_from = a.from.substr(1, a.from.size() - 2);
    facts.receiver = (*options)->authserv_id;
    facts.now_s = to_unix_s(now());
    facts.sample = static_cast<unsigned>(a.sample);
    gate::Check check(**options, facts, **source);
    if (const auto read = os::read_input(a.file, [&](std::string_view bytes) { check.feed(bytes); }); !read)
        return cli::fail(read.error());
    const auto findings = check.finish();
    const auto decision = gate::decide(**options, findings, **source);

    auto lines = gate::verdict_lines(findings);
    lines.push_back({"gate", std::string(gate::action_name(decision.action)),
                     decision.action == gate::Decision::Action::Accept ? 0 : 2, findings.dmarc.author,
                     decision.reason});
    print(a.json, lines);
    const auto field = authres::format(gate::results_of((*options)->authserv_id, facts, findings), true);
    if (a.json) fmt::print("{{\"field\":{}}}\n", log::json_string(field));
    else fmt::print("\n{}", text::replace_all(field, "\r\n", "\n"));
    return exit_code(decision.action);
}

}  // namespace gk::authres_tool
