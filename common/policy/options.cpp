// SPDX-License-Identifier: MIT
#include "common/address/path.hpp"
#include "common/policy/policy.hpp"

namespace gk::policy {

Result<std::shared_ptr<const Options>> Options::from(const config::Config& config, const std::string& hostname) {
    auto options = std::make_shared<Options>();
    const std::string& mode = config.string("gate.mode");
    options->mode = mode == "off" ? Mode::Off : mode == "observe" ? Mode::Observe : Mode::Enforce;
    options->hostname = hostname;
    const auto number = [&](std::string_view key) { return static_cast<int>(config.integer(key)); };
    options->reject_score = number("gate.reject_score");
    options->greylist = config.boolean("gate.greylist");
    options->greylist_score = number("gate.greylist_score");
    options->score_no_name = number("gate.score_no_name");
    options->score_wrong_name = number("gate.score_wrong_name");
    options->score_helo = number("gate.score_helo");
    options->score_pregreet = number("gate.score_pregreet");
    options->score_protocol = number("gate.score_protocol");
    options->honeypot_block_s = config.duration_s("gate.honeypot_block");
    options->address_recipients = config.integer("gate.address_recipients");
    options->network_recipients = config.integer("gate.network_recipients");
    options->pregreet_wait_ms = config.integer("gate.pregreet_wait_ms");
    options->dns_time_ms = config.duration_s("gate.dns_time") * 1000;
    options->state.delay_s = config.duration_s("gate.greylist_delay");
    options->state.window_s = config.duration_s("gate.greylist_window");
    options->state.keep_s = config.duration_s("gate.greylist_keep");
    options->state.remembered = static_cast<std::size_t>(config.integer("gate.remembered"));
    for (const auto& [zone, text] : config.table("gate.dns_lists")) {
        GK_TRY(options->dns_lists.emplace_back(), DnsList::parse(zone, text));
    }
    for (const auto& address : config.strings("gate.honeypots")) {
        const auto parsed = address::parse_address(address);
        if (!parsed) return fail(parsed.error().in("gate.honeypots"));
        options->honeypots.push_back(address::canonical(*parsed));
    }
    return options;
}

}  // namespace gk::policy
