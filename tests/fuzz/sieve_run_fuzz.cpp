// SPDX-License-Identifier: MIT
// links: sieve
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/base/text.hpp"
#include "common/sieve/compose.hpp"
#include "common/sieve/sieve.hpp"

// A script, a line "%%", a message: it ends within its limits, with actions that can be shown and carried out.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::sieve;
    const std::string_view whole(reinterpret_cast<const char*>(data), size);
    const std::size_t parting = whole.find("\n%%\n");
    const std::string_view text = whole.substr(0, parting);
    const std::string_view message =
        parting == std::string_view::npos ? "Subject: x\n\ny\n" : whole.substr(parting + 4);
    Dialect dialect;
    dialect.limits.regex_memory = 64 << 10;
    dialect.limits.steps = 20'000;
    const auto script = compile(text, dialect);
    if (!script) return 0;
    Facts facts;
    facts.reverse_path = "bob@example.com";
    facts.recipient = "ann+lists@example.org";
    facts.own_addresses = {"ann@example.org"};
    facts.now_s = 1'796'032'800;
    facts.zone_min = 0;
    Host host;
    const Outcome outcome = run(**script, facts, message, host, dialect.limits);
    if (outcome.actions.size() > dialect.limits.actions + 1 || outcome.steps > dialect.limits.steps) std::abort();
    if (!outcome.error.empty() && (outcome.actions.size() != 1 || outcome.actions[0].edition != -1)) std::abort();
    for (const Action& action : outcome.actions) {
        if (describe(action).empty()) std::abort();
        if (action.edition >= static_cast<int>(outcome.editions.size())) std::abort();
        if (action.edition >= 0) outcome.editions[static_cast<std::size_t>(action.edition)].apply(message);
        if (const auto* vacation = std::get_if<Vacation>(&action.what)) {
            const std::string sent = compose(*vacation, {1, "<1@example.org>"});
            // No line of the script's becomes a field of its own in front of our own.
            if (sent.find("\r\n\r\n") == std::string::npos ||
                sent.find("Auto-Submitted: auto-replied") == std::string::npos)
                std::abort();
        }
        if (const auto* notify = std::get_if<Notify>(&action.what)) compose(*notify, "ann@example.org", {1, ""});
        if (const auto* store = std::get_if<Store>(&action.what);
            store && (store->mailbox.empty() || !gk::text::is_utf8(store->mailbox)))
            std::abort();
    }
    return 0;
}
