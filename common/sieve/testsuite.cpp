// SPDX-License-Identifier: MIT
#include "common/sieve/testsuite.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "common/base/text.hpp"
#include "common/message/header.hpp"
#include "common/sieve/compose.hpp"
#include "common/sieve/machine.hpp"

namespace gk::sieve {

namespace {

struct Sent {
    std::string from, to, message;
};

class Files : public Includes {
public:
    explicit Files(const ReadFile& read) : read_(read) {}
    std::optional<std::string> find(Place place, std::string_view name) override {
        const std::string folder = place == Place::Global ? "included-global/" : "included/";
        if (auto found = read_(folder + std::string(name) + ".sieve")) return found;
        return read_(folder + std::string(name));
    }

private:
    const ReadFile& read_;
};

// The store, the delivery and the testsuite's own commands.
class Stage : public Bench, public Host {
public:
    Stage(const ReadFile& read, const Limits& limits, TestReport& report)
        : files_(read), read_(read), report_(report), mail_("") {
        dialect_.limits = limits;
        dialect_.includes = &files_;
        mailboxes_["INBOX"];
        show("\r\n");
        refresh();
    }

    void run(const Script& script) {
        const Trace none;
        Machine machine(script.program(), facts_, mail_, *this, dialect_.limits, outcome_, none, this);
        outcome_.implicit_keep = true;
        machine_ = &machine;
        machine.run();
        if (machine.failed()) report_.results.push_back({{}, "outside of the tests", false, outcome_.error});
    }

    // Host
    bool mailbox_exists(std::string_view mailbox) override { return mailboxes_.count(std::string(mailbox)) > 0; }
    std::optional<std::string> metadata(std::string_view mailbox, std::string_view annotation) override {
        const auto at = annotations_.find(std::string(mailbox) + '\n' + std::string(annotation));
        if (at == annotations_.end()) return std::nullopt;
        return at->second;
    }
    bool seen(std::string_view id) override { return ids_.count(std::string(id)) > 0; }
    std::optional<double> spam_percent() override {
        const auto at = config_.find("test.spam_percent");
        if (at == config_.end() || !text::to_uint(at->second)) return std::nullopt;
        return static_cast<double>(*text::to_uint(at->second));
    }
    std::optional<int> virus_value() override {
        const auto at = config_.find("test.virus");
        if (at == config_.end() || !text::to_uint(at->second)) return std::nullopt;
        return static_cast<int>(std::min<std::uint64_t>(*text::to_uint(at->second), 5));
    }

    // Bench
    bool command(Machine& machine, const Node& node) override;
    bool test(Machine& machine, const Node& node) override;

private:
    void run_test(Machine& machine, const Node& node);
    void set(Machine& machine, const Node& node);
    bool take_message(Machine& machine, const Node& node);
    bool compile_script(const std::string& name);
    bool run_scripts(const std::vector<std::string>& names, bool append);
    bool execute();
    void configure();
    void refresh() {
        facts_.reverse_path = from_, facts_.recipient = to_, facts_.original_recipient = original_to_;
        facts_.own_addresses.assign(1, own_.empty() ? to_ : own_);
        facts_.subaddress_delimiter = delimiter_;
        facts_.host_name = "host.example.com", facts_.domain = "example.com";
    }
    void show(std::string message) {
        message_ = std::make_unique<std::string>(std::move(message));
        mail_ = Mail(*message_);
        if (machine_) machine_->message_changed();
    }

    Files files_;
    const ReadFile& read_;
    TestReport& report_;
    Dialect dialect_;
    Machine* machine_ = nullptr;
    std::unique_ptr<std::string> message_;
    Mail mail_;
    Facts facts_;
    std::string from_ = "sender@example.com", to_ = "recipient@example.com", original_to_, own_, delimiter_ = "+";
    std::map<std::string, std::string> config_;
    std::map<std::string, std::vector<std::string>> mailboxes_;
    std::map<std::string, std::string> annotations_;
    std::set<std::string> ids_;
    std::vector<Sent> sent_;
    Outcome outcome_;  // of the test file, or of the script it ran
    std::vector<std::string> errors_;
    std::shared_ptr<const Script> script_;
    std::map<std::string, std::shared_ptr<const Script>> saved_;
    std::string failure_;
    bool in_test_ = false;
};

void Stage::run_test(Machine& machine, const Node& node) {
    TestResult result{node.at, machine.text(node.args[0][0]), false, {}};
    if (in_test_) {
        machine.fail(node, "a test stands in no other test");
        return;
    }
    in_test_ = true;
    failure_.clear();
    machine.block(node.block);
    in_test_ = false;
    if (machine.failed()) failure_ = machine.recover();
    result.passed = failure_.empty();
    result.reason = failure_;
    report_.results.push_back(std::move(result));
}

bool Stage::command(Machine& machine, const Node& node) {
    switch (node.op) {
        case Op::Test: run_test(machine, node); return true;
        case Op::TestSet: set(machine, node); return true;
        case Op::TestFail:
            failure_ = "line " + std::to_string(node.at.line) + ": " + machine.text(node.args[0][0]);
            return false;
        case Op::TestConfigSet: config_[machine.text(node.args[0][0])] = machine.text(node.args[1][0]); break;
        case Op::TestConfigUnset: config_.erase(machine.text(node.args[0][0])); break;
        case Op::TestConfigReload: configure(); break;
        case Op::TestMailboxCreate: mailboxes_[machine.text(node.args[0][0])]; break;
        case Op::TestImapMetadataSet: {
            const Tagged* mailbox = node.find(Slot::Mailbox);
            annotations_[(mailbox ? machine.text(mailbox->texts[0]) : std::string()) + '\n' +
                         machine.text(node.args[0][0])] = machine.text(node.args[1][0]);
            break;
        }
        case Op::TestResultReset:
            outcome_ = Outcome{};
            outcome_.implicit_keep = true;
            machine.message_changed();
            break;
        case Op::TestResultPrint: break;
        case Op::TestMessage:
            if (!take_message(machine, node)) machine.fail(node, "there is no such message");
            break;
        case Op::TestBinarySave: saved_[machine.text(node.args[0][0])] = script_; break;
        case Op::TestBinaryLoad: script_ = saved_[machine.text(node.args[0][0])]; break;
        default: machine.fail(node, "this command does not stand here"); break;
    }
    return true;
}

bool Stage::test(Machine& machine, const Node& node) {
    switch (node.op) {
        case Op::TestMessage: return take_message(machine, node);
        case Op::TestScriptCompile: return compile_script(machine.text(node.args[0][0]));
        case Op::TestScriptRun: return run_scripts({}, node.is(flag::AppendResult));
        case Op::TestMultiscript: return run_scripts(machine.list(node.args[0]), false);
        case Op::TestResultExecute: return execute();
        case Op::TestError:
        case Op::TestResultAction: {
            std::vector<std::string> values;
            if (node.op == Op::TestError) values = errors_;
            else
                for (const Action& each : outcome_.actions)
                    values.emplace_back(name_of(each) == "fileinto" ? std::string_view("store") : name_of(each));
            Matcher matcher(machine, node, node.args[0]);
            const Tagged* index = node.find(Slot::Index);
            for (std::size_t i = 0; i < values.size(); ++i)
                if (!index || index->number == i + 1)
                    if (matcher.value(values[i])) break;
            return matcher.finish();
        }
        default: return false;
    }
}

void Stage::set(Machine& machine, const Node& node) {
    const std::string name = text::lower(machine.text(node.args[0][0])), value = machine.text(node.args[1][0]);
    if (name == "message") show(value);
    else if (name == "envelope.from") from_ = value == "<>" ? "" : value;
    else if (name == "envelope.to") to_ = value;
    else if (name == "envelope.orig_to") original_to_ = value;
    else if (name != "envelope.auth") machine.fail(node, "there is no '" + text::printable(name, 60) + "' to set");
    refresh();
}

bool Stage::take_message(Machine& machine, const Node& node) {
    if (const Tagged* folder = node.find(Slot::Folder)) {
        const auto at = mailboxes_.find(machine.text(folder->texts[0]));
        if (at == mailboxes_.end() || at->second.size() <= node.number) return false;
        show(at->second[node.number]);
        return true;
    }
    if (sent_.size() <= node.number) return false;
    from_ = sent_[node.number].from, to_ = sent_[node.number].to;
    refresh();
    show(sent_[node.number].message);
    return true;
}

bool Stage::compile_script(const std::string& name) {
    errors_.clear();
    const auto text = read_(name);
    if (!text) return errors_.push_back("there is no file '" + text::printable(name, 100) + "'"), false;
    auto compiled = compile(*text, dialect_);
    if (!compiled) {
        for (const Problem& each : compiled.error()) errors_.push_back(each.format(name));
        return false;
    }
    script_ = std::move(*compiled);
    return true;
}

bool Stage::run_scripts(const std::vector<std::string>& names, bool append) {
    std::vector<std::shared_ptr<const Script>> scripts;
    for (const std::string& name : names) {
        if (!compile_script(name)) return false;
        scripts.push_back(script_);
    }
    if (names.empty()) {
        if (!script_) return errors_.assign(1, "no script was compiled"), false;
        scripts.push_back(script_);
    }
    errors_.clear();
    Outcome outcome = run_all(scripts, facts_, *message_, *this, dialect_.limits);
    if (append) {
        for (Action& each : outcome_.actions)
            if (!(std::get_if<Store>(&each.what) && std::get<Store>(each.what).implicit))
                outcome.actions.insert(outcome.actions.begin(), each);
    }
    outcome_ = std::move(outcome);
    if (outcome_.error.empty()) return true;
    errors_.push_back(outcome_.error);
    return false;
}

bool Stage::execute() {
    const std::string current = *message_;
    std::vector<Action> actions = outcome_.actions;
    const bool kept = std::any_of(actions.begin(), actions.end(), [](const Action& each) {
        return std::holds_alternative<Store>(each.what) && std::get<Store>(each.what).implicit;
    });
    if (outcome_.implicit_keep && !kept && std::none_of(actions.begin(), actions.end(), [](const Action& each) {
            return std::holds_alternative<Discard>(each.what);
        }))
        actions.push_back({Store{.mailbox = "INBOX", .flags = {}, .keep = true, .implicit = true, .special_use = {}}, 0,
                           0,
                           machine_ && outcome_.editions.size() ? static_cast<int>(outcome_.editions.size()) - 1 : -1});
    const Stamp stamp{0, ""};
    bool done = true;
    for (const Action& each : actions) {
        const std::string bytes = each.edition >= 0
                                      ? outcome_.editions[static_cast<std::size_t>(each.edition)].apply(current)
                                      : (each.line == 0 && mail_.edited() ? mail_.edition().apply(current) : current);
        if (const auto* store = std::get_if<Store>(&each.what)) {
            if (!mailbox_exists(store->mailbox) && !store->create && config_.count("test.strict_mailboxes")) {
                errors_.push_back("there is no mailbox '" + store->mailbox + "'");
                done = false;
            } else {
                mailboxes_[store->mailbox].push_back(bytes);
            }
        } else if (const auto* redirect = std::get_if<Redirect>(&each.what)) {
            sent_.push_back({from_, redirect->address, bytes});
        } else if (const auto* vacation = std::get_if<Vacation>(&each.what)) {
            const std::string id = vacation->handle + '\n' + text::lower(vacation->to);
            if (vacation->seconds == 0 || ids_.insert(id).second)
                sent_.push_back({"", vacation->to, compose(*vacation, stamp)});
        } else if (const auto* notify = std::get_if<Notify>(&each.what)) {
            const std::string message = compose(*notify, to_, stamp);
            for (const auto* list : {&notify->to, &notify->cc, &notify->bcc})
                for (const std::string& to : *list) sent_.push_back({"", to, message});
        } else if (const auto* reject = std::get_if<Reject>(&each.what)) {
            if (!from_.empty())
                sent_.push_back(
                    {"", from_, "Subject: Rejected\r\nAuto-Submitted: auto-replied\r\n\r\n" + reject->reason + "\r\n"});
        }
    }
    for (const Remember& each : outcome_.remember) ids_.insert(each.id);
    return done;
}

void Stage::configure() {
    Limits& limits = dialect_.limits;
    const auto number = [&](std::string_view name, auto& into) {
        const auto at = config_.find(std::string(name));
        if (at == config_.end()) return;
        if (const auto size = text::to_size(at->second))
            into = static_cast<std::remove_reference_t<decltype(into)>>(*size);
    };
    const auto time = [&](std::string_view name, std::int64_t& into) {
        const auto at = config_.find(std::string(name));
        if (at == config_.end()) return;
        if (const auto seconds = text::to_duration_s(at->second)) into = *seconds;
    };
    number("sieve_max_script_size", limits.script_size);
    number("sieve_max_actions", limits.actions);
    number("sieve_max_redirects", limits.redirects);
    number("sieve_include_max_nesting_depth", limits.include_depth);
    number("sieve_include_max_includes", limits.includes);
    number("sieve_variables_max_variable_size", limits.variable_size);
    number("test.steps", limits.steps);
    time("sieve_vacation_min_period", limits.vacation_least_s);
    time("sieve_vacation_default_period", limits.vacation_default_s);
    time("sieve_vacation_max_period", limits.vacation_most_s);
    time("sieve_duplicate_default_period", limits.duplicate_default_s);
    time("sieve_duplicate_max_period", limits.duplicate_most_s);
    if (const auto at = config_.find("sieve_user_email"); at != config_.end()) own_ = at->second;
    if (const auto at = config_.find("recipient_delimiter"); at != config_.end()) delimiter_ = at->second;
    if (const auto at = config_.find("sieve_extensions"); at != config_.end()) {
        dialect_.extensions =
            at->second.empty() || at->second[0] == '+' || at->second[0] == '-' ? Extensions::all() : Extensions::none();
        for (const std::string_view word : text::words(at->second))
            dialect_.extensions.set(word.substr(word[0] == '+' || word[0] == '-' ? 1 : 0), word[0] != '-');
    }
    refresh();
}

}  // namespace

bool TestReport::passed() const noexcept {
    return problems.empty() && !results.empty() &&
           std::all_of(results.begin(), results.end(), [](const TestResult& each) { return each.passed; });
}

TestReport run_testsuite(std::string_view text, const ReadFile& read, const Limits& limits) {
    TestReport report;
    Files files(read);
    Dialect dialect;
    dialect.limits = limits;
    dialect.testsuite = true;
    dialect.includes = &files;
    auto script = compile(text, dialect);
    if (!script) {
        report.problems = std::move(script.error());
        return report;
    }
    Stage stage(read, limits, report);
    stage.run(**script);
    return report;
}

}  // namespace gk::sieve
