// SPDX-License-Identifier: MIT
#include <algorithm>
#include <utility>

#include "common/base/text.hpp"
#include "common/sieve/machine.hpp"

namespace gk::sieve {

bool Host::mailbox_exists(std::string_view) { return false; }
std::optional<std::string> Host::metadata(std::string_view, std::string_view) { return std::nullopt; }
bool Host::special_use_exists(std::string_view, std::string_view) { return false; }
bool Host::seen(std::string_view) { return false; }
std::optional<double> Host::spam_percent() { return std::nullopt; }
std::optional<int> Host::virus_value() { return std::nullopt; }
std::optional<std::string> Host::environment(std::string_view) { return std::nullopt; }
std::optional<bool> Host::in_list(std::string_view, std::string_view) { return std::nullopt; }

Outcome run_units(const std::vector<const Script::Program*>& programs, const Facts& facts, std::string_view message,
                  Host& host, const Limits& limits, const Trace& trace) {
    Outcome outcome;
    Mail mail(message);
    std::vector<std::string> flags = facts.flags;
    int edition = -1;
    std::string errors;
    for (const Script::Program* program : programs) {
        outcome.implicit_keep = true;
        outcome.actions.reserve(4);
        Facts now = facts;
        now.flags = flags;
        Machine machine(*program, now, mail, host, limits, outcome, trace);
        const std::size_t before = outcome.actions.size(), editions = outcome.editions.size(),
                          remembered = outcome.remember.size();
        auto actions = outcome.actions;  // a script may change what an earlier one asked for
        const unsigned version = mail.version();
        machine.run();
        if (machine.failed()) {
            // RFC 5228, 2.10.6: what the script did not finish has no effect but that the message is kept, as it came
            // to this script. What others ask for, an administrator's before and behind it, holds.
            errors += (errors.empty() ? "" : "; ") + std::exchange(outcome.error, {});
            outcome.actions = std::move(actions);
            outcome.editions.resize(editions);
            outcome.remember.resize(remembered);
            outcome.implicit_keep = true;
            if (mail.version() != version) {
                mail = Mail(message);
                if (edition >= 0) mail.restore(outcome.editions[static_cast<std::size_t>(edition)]);
            }
            continue;
        }
        flags = machine.flags_;
        edition = machine.edition();
        // discard and reject take the implicit keep away, as fileinto, redirect and keep did when they were done.
        for (std::size_t i = before; i < outcome.actions.size(); ++i)
            if (std::holds_alternative<Discard>(outcome.actions[i].what)) outcome.implicit_keep = false;
        if (!outcome.implicit_keep) break;
    }
    outcome.error = std::move(errors);
    if (outcome.implicit_keep) {
        Store keep{.mailbox = std::string(facts.default_mailbox),
                   .flags = flags,
                   .has_flags = !flags.empty(),
                   .keep = true,
                   .implicit = true,
                   .special_use = {}};
        const bool there = std::any_of(outcome.actions.begin(), outcome.actions.end(), [&](const Action& each) {
            const Store* store = std::get_if<Store>(&each.what);
            return store && text::equals_nocase(store->mailbox, keep.mailbox);
        });
        if (!there) outcome.actions.push_back({std::move(keep), 0, 0, edition});
    }
    return outcome;
}

Outcome run(const Script& script, const Facts& facts, std::string_view message, Host& host, const Limits& limits,
            const Trace& trace) {
    return run_units({&script.program()}, facts, message, host, limits, trace);
}

Outcome run_all(const std::vector<std::shared_ptr<const Script>>& scripts, const Facts& facts, std::string_view message,
                Host& host, const Limits& limits, const Trace& trace) {
    std::vector<const Script::Program*> programs;
    for (const auto& each : scripts) programs.push_back(&each->program());
    return run_units(programs, facts, message, host, limits, trace);
}

bool Outcome::keeps_nothing() const noexcept {
    return std::none_of(actions.begin(), actions.end(),
                        [](const Action& each) { return std::holds_alternative<Store>(each.what); });
}

std::string_view name_of(const Action& action) noexcept {
    if (const auto* store = std::get_if<Store>(&action.what)) return store->keep ? "keep" : "fileinto";
    if (std::holds_alternative<Redirect>(action.what)) return "redirect";
    if (std::holds_alternative<Discard>(action.what)) return "discard";
    if (const auto* reject = std::get_if<Reject>(&action.what)) return reject->ereject ? "ereject" : "reject";
    return std::holds_alternative<Vacation>(action.what) ? "vacation" : "notify";
}

std::string describe(const Action& action) {
    const auto quoted = [](std::string_view s) {
        return '"' + text::replace_all(text::replace_all(s, "\r", ""), "\n", "\\n") + '"';
    };
    std::string out(name_of(action));
    const auto list = [&](const std::vector<std::string>& strings) {
        std::string all;
        for (const std::string& each : strings) all += (all.empty() ? "" : ", ") + quoted(each);
        return '[' + all + ']';
    };
    if (const auto* store = std::get_if<Store>(&action.what)) {
        if (store->implicit) out += " (implicit)";
        if (!store->keep || !text::equals_nocase(store->mailbox, "INBOX")) out += ' ' + quoted(store->mailbox);
        if (store->create) out += " :create";
        if (!store->special_use.empty()) out += " :specialuse " + quoted(store->special_use);
        if (store->has_flags) out += " :flags " + list(store->flags);
    } else if (const auto* redirect = std::get_if<Redirect>(&action.what)) {
        if (redirect->list) out += " :list";
        out += ' ' + quoted(redirect->address);
        if (!redirect->dsn_notify.empty()) out += " :notify " + quoted(redirect->dsn_notify);
        if (!redirect->dsn_return.empty()) out += " :ret " + quoted(redirect->dsn_return);
        if (redirect->by_s) out += " :bytimerelative " + std::to_string(*redirect->by_s);
    } else if (const auto* reject = std::get_if<Reject>(&action.what)) {
        out += ' ' + quoted(text::trim(reject->reason));
    } else if (const auto* vacation = std::get_if<Vacation>(&action.what)) {
        out += " to " + vacation->to + " from " + quoted(vacation->from) + " :subject " + quoted(vacation->subject) +
               " :seconds " + std::to_string(vacation->seconds);
        if (vacation->fcc) out += " :fcc " + quoted(vacation->fcc->mailbox);
    } else if (const auto* notify = std::get_if<Notify>(&action.what)) {
        out += ' ' + quoted(notify->method) + " :message " + quoted(notify->subject);
    }
    return out;
}

}  // namespace gk::sieve
