// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/charset/charset.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/config/sieve_limits.hpp"
#include "common/os/file.hpp"
#include "common/os/input.hpp"
#include "common/sieve/listing.hpp"
#include "common/sieve/sieve.hpp"
#include "common/sieve/testsuite.hpp"

using namespace gk;

namespace {

struct Arguments {
    bool json = false;
    std::string root, script, file = "-", includes, global, from = "sender@example.com", to = "recipient@example.com",
                              spam, virus, now, output;
    std::vector<std::string> own, mailboxes, scripts, tests, without, before;
    sieve::Limits limits;
};

class Folder : public sieve::Includes {
public:
    Folder(std::string personal, std::string global) : personal_(std::move(personal)), global_(std::move(global)) {}
    std::optional<std::string> find(Place place, std::string_view name) override {
        const std::string& folder = place == Place::Global ? global_ : personal_;
        for (const char* suffix : {".sieve", ""})
            if (auto text = os::read_file((folder.empty() ? "." : folder) + '/' + std::string(name) + suffix))
                return *text;
        return std::nullopt;
    }

private:
    std::string personal_, global_;
};

class Host : public sieve::Host {
public:
    explicit Host(const Arguments& a) : a_(a) {}
    bool mailbox_exists(std::string_view mailbox) override {
        return text::equals_nocase(mailbox, "INBOX") ||
               std::find(a_.mailboxes.begin(), a_.mailboxes.end(), mailbox) != a_.mailboxes.end();
    }
    std::optional<double> spam_percent() override {
        const auto value = text::to_uint(a_.spam);
        if (!value) return std::nullopt;
        return static_cast<double>(*value);
    }
    std::optional<int> virus_value() override {
        const auto value = text::to_uint(a_.virus);
        if (!value) return std::nullopt;
        return static_cast<int>(std::min<std::uint64_t>(*value, 5));
    }

private:
    const Arguments& a_;
};

Result<std::string> read(const std::string& file, std::uint64_t limit) {
    GK_TRY(const auto input, os::Input::open(file));
    if (input.bytes().size() > limit)
        return fail(Errc::BadInput, "'" + file + "' is larger than " + std::to_string(limit) + " bytes");
    return std::string(input.bytes());
}

int tell(const Arguments& a, const std::string& name, const std::vector<sieve::Problem>& problems) {
    if (!a.json) {
        for (const auto& each : problems) std::fprintf(stderr, "%s\n", each.format(name).c_str());
        return 65;
    }
    cli::Rows rows(true, {"script", "line", "column", "problem"});
    for (const auto& each : problems)
        rows.add({each.script.empty() ? name : each.script, std::int64_t{each.at.line}, std::int64_t{each.at.column},
                  each.text});
    return 65;
}

// The script's program, or the exit code that says why there is none.
tl::expected<std::shared_ptr<const sieve::Script>, int> load(const Arguments& a, const std::string& file) {
    const auto text = read(file, a.limits.script_size);
    if (!text) return tl::unexpected(cli::fail(text.error()));
    const std::string beside = std::filesystem::path(file).parent_path().string();
    Folder folder(a.includes.empty() ? beside : a.includes, a.global);
    sieve::Dialect dialect;
    dialect.limits = a.limits;
    dialect.includes = &folder;
    for (const std::string& name : a.without)
        if (!dialect.extensions.set(name, false))
            return tl::unexpected(cli::usage("there is no extension '" + name + "'"));
    auto script = sieve::compile(*text, dialect);
    if (!script) return tl::unexpected(tell(a, file == "-" ? "script" : file, script.error()));
    return *script;
}

int check(const Arguments& a) {
    int worst = 0;
    for (const std::string& file : a.scripts)
        if (const auto script = load(a, file); !script) worst = std::max(worst, script.error());
    return worst;
}

int compile(const Arguments& a) {
    const auto script = load(a, a.script);
    if (!script) return script.error();
    cli::Rows rows(a.json, {"script", "line", "column", "depth", "node"});
    for (const auto& each : sieve::list_program(**script))
        rows.add({each.script, std::int64_t{each.at.line}, std::int64_t{each.at.column}, std::int64_t{each.depth},
                  (a.json ? std::string() : std::string(each.depth * 2, ' ')) + each.what});
    return 0;
}

enum class Show { Actions, Steps, Reasons };

int run(const Arguments& a, Show show) {
    std::vector<std::shared_ptr<const sieve::Script>> scripts;
    for (const std::string& each : a.before) {
        const auto script = load(a, each);
        if (!script) return script.error();
        scripts.push_back(*script);
    }
    const auto script = load(a, a.script);
    if (!script) return script.error();
    scripts.push_back(*script);
    const auto message = os::Input::open(a.file);
    if (!message) return cli::fail(message.error());

    sieve::Facts facts;
    facts.reverse_path = a.from == "<>" ? "" : std::string_view(a.from);
    facts.recipient = a.to;
    facts.own_addresses = a.own;
    if (a.own.empty()) facts.own_addresses.push_back(a.to);
    if (!a.now.empty()) {
        const auto now = parse_rfc3339(a.now);
        if (!now) return cli::usage("'" + a.now + "' is no time as 2026-11-30T10:00:00Z");
        facts.now_s = to_unix_s(*now);
    }
    Host host(a);
    static const std::vector<std::string> kActions{"line", "action", "what"},
        kSteps{"line", "column", "step", "result"};
    cli::Rows rows(a.json, show == Show::Actions ? kActions : kSteps);
    const auto step = [&](const sieve::Step& each) {
        const bool result_false = each.detail.ends_with("false");
        if (show == Show::Reasons && result_false) return;  // what did not hold explains nothing
        const std::string indent = a.json ? std::string() : std::string((each.depth - 1) * 2, ' ');
        rows.add({std::int64_t{each.at.line}, std::int64_t{each.at.column},
                  indent + (each.script.empty() ? "" : std::string(each.script) + ": ") + each.what, each.detail});
    };
    const auto outcome = show == Show::Actions ? sieve::run_all(scripts, facts, message->bytes(), host, a.limits)
                                               : sieve::run_all(scripts, facts, message->bytes(), host, a.limits, step);
    for (const auto& action : outcome.actions) {
        if (show == Show::Actions)
            rows.add({std::int64_t{action.line}, std::string(sieve::name_of(action)),
                      charset::valid_utf8(sieve::describe(action))});
        else
            rows.add({std::int64_t{action.line}, std::int64_t{action.column},
                      "=> " + charset::valid_utf8(sieve::describe(action)), std::string()});
    }
    for (const std::string& remark : outcome.remarks) std::fprintf(stderr, "gk-sieve: %s\n", remark.c_str());
    if (!a.output.empty()) {
        const std::string bytes =
            outcome.editions.empty() ? std::string(message->bytes()) : outcome.editions.back().apply(message->bytes());
        if (const auto written = os::replace_file(a.output, bytes, 0644); !written) return cli::fail(written.error());
    }
    if (outcome.error.empty()) return 0;
    std::fprintf(stderr, "gk-sieve: %s\n", outcome.error.c_str());
    return 1;
}

int testsuite(const Arguments& a) {
    cli::Rows rows(a.json, {"file", "line", "test", "result", "reason"});
    bool all = true;
    for (const std::string& file : a.tests) {
        const auto text = read(file, a.limits.script_size);
        if (!text) return cli::fail(text.error());
        const std::string folder = std::filesystem::path(file).parent_path().string();
        const auto report = sieve::run_testsuite(
            *text,
            [&](std::string_view name) -> std::optional<std::string> {
                if (auto found = os::read_file((folder.empty() ? "." : folder) + '/' + std::string(name)))
                    return *found;
                return std::nullopt;
            },
            a.limits);
        for (const auto& each : report.problems) std::fprintf(stderr, "%s\n", each.format(file).c_str());
        for (const auto& each : report.results)
            rows.add({file, std::int64_t{each.at.line}, each.name, std::string(each.passed ? "passed" : "failed"),
                      each.reason});
        all = all && report.passed();
    }
    return all ? 0 : 1;
}

int extensions(const Arguments& a) {
    cli::Rows rows(a.json, {"extension"});
    for (const auto name : sieve::Extensions::all().names()) rows.add({std::string(name)});
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments a;
    const cli::Operand script{"script", &a.script, "the script; - for standard input"};
    const cli::Operand message{"message", &a.file, "the message; standard input where it is - or absent", false};
    const std::vector<cli::Option> facts = {
        {"-f,--from", &a.from, "the reverse-path of the envelope; <> for the null one", "ADDRESS"},
        {"-r,--to", &a.to, "the recipient of the envelope, detail included", "ADDRESS"},
        {"-a,--own", &a.own, "an address of the account, for vacation; may be repeated", "ADDRESS"},
        {"-m,--mailbox", &a.mailboxes, "a mailbox that exists beside INBOX; may be repeated", "NAME"},
        {"--before", &a.before, "a script that is run before; may be repeated", "FILE"},
        {"--spam", &a.spam, "percent that spamtest sees", "N"},
        {"--virus", &a.virus, "0 to 5, as virustest sees it", "N"},
        {"--now", &a.now, "the time it is to be: 2026-11-30T10:00:00Z", "TIME"},
        {"-o,--output", &a.output, "write the message as the script left it to FILE", "FILE"},
    };
    const auto with_limits = [&](auto&& verb) {
        return [&a, verb] {
            if (!a.root.empty()) {
                const auto config = config::Config::load(config::Paths::under(a.root));
                if (!config) return cli::fail(config.error());
                config::read_sieve_limits(*config, a.limits);
            }
            return verb(a);
        };
    };
    return cli::run(
        {.name = "gk-sieve",
         .summary = "check and try mail filters written in Sieve",
         .description =
             "Compiles scripts (RFC 5228 and extensions) and runs them over a message by the same code as gk-deliver, "
             "without delivering, sending or storing anything.",
         .options = {{"-j,--json", &a.json, "one JSON object per line"},
                     {"--root", &a.root,
                      "take the limits from the settings sieve.* of this gk, instead of their defaults", "DIR"},
                     {"-I,--includes", &a.includes,
                      "where include finds personal scripts; beside the script where absent", "DIR"},
                     {"-G,--global", &a.global, "where include finds global scripts", "DIR"},
                     {"-x,--without", &a.without, "an extension that is not offered; may be repeated", "NAME"}},
         .commands = {{.name = "check",
                       .summary = "say what is wrong with scripts, as FILE:LINE:COLUMN: text",
                       .operands = {{"script", &a.scripts, "the scripts"}},
                       .run = with_limits(check)},
                      {.name = "compile",
                       .summary = "list what a script is compiled to",
                       .operands = {script},
                       .run = with_limits(compile)},
                      {.name = "test",
                       .summary = "list the actions that a script takes on a message",
                       .options = facts,
                       .operands = {script, message},
                       .run = with_limits([](const Arguments& b) { return run(b, Show::Actions); })},
                      {.name = "trace",
                       .summary = "list every command and test with the values that it saw, then the actions",
                       .options = facts,
                       .operands = {script, message},
                       .run = with_limits([](const Arguments& b) { return run(b, Show::Steps); })},
                      {.name = "explain",
                       .summary = "list what held and what was done about it, then the actions",
                       .options = facts,
                       .operands = {script, message},
                       .run = with_limits([](const Arguments& b) { return run(b, Show::Reasons); })},
                      {.name = "testsuite",
                       .summary = "run test files written with the extension vnd.dovecot.testsuite",
                       .operands = {{"file", &a.tests, "the test files"}},
                       .run = with_limits(testsuite)},
                      {.name = "extensions",
                       .summary = "list the extensions that scripts may require",
                       .run = with_limits(extensions)}},
         .examples =
             {"gk-sieve check filters.sieve  # what is wrong, and where",
              "gk-sieve test filters.sieve < message  # what would happen to it",
              "gk-sieve test -f bob@example.com -r ann+lists@example.org filters.sieve message  # with an envelope",
              "gk-sieve explain filters.sieve message  # and why",
              "gk-sieve testsuite tests/*.svtest  # tests of scripts, in Pigeonhole's format"}},
        argc, argv);
}
