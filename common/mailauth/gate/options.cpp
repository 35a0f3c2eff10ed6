// SPDX-License-Identifier: MIT
#include "common/mailauth/gate/options.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"
#include "common/message/quarantine.hpp"

namespace gk::mailauth::gate {
namespace {

std::optional<Mode> mode_named(std::string_view name) noexcept {
    for (const auto mode : {Mode::Enforce, Mode::Observe, Mode::Off})
        if (name == mode_name(mode)) return mode;
    return std::nullopt;
}

std::string hostname_of(const config::Config& config) {
    if (!config.string("server.hostname").empty()) return config.string("server.hostname");
    char name[256] = "localhost";
    ::gethostname(name, sizeof name - 1);
    return name;
}

Result<std::vector<std::string>> domains_of(const config::Config& config, std::string_view key) {
    std::vector<std::string> out;
    for (const auto& each : config.strings(key)) {
        auto domain = dns_domain(each);
        if (domain.empty()) return fail(Errc::Config, fmt::format("{}: '{}' is not a domain name", key, each));
        out.push_back(std::move(domain));
    }
    return out;
}

}  // namespace

std::string_view mode_name(Mode mode) noexcept {
    switch (mode) {
        case Mode::Enforce: return "enforce";
        case Mode::Observe: return "observe";
        case Mode::Off: return "off";
    }
    return "off";
}

Mode Options::mode_of(std::string_view author_domain) const {
    for (std::string_view name = author_domain; !name.empty();) {
        if (const auto found = domains.find(std::string(name)); found != domains.end()) return found->second;
        const auto dot = name.find('.');
        name = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
    }
    return mode;
}

bool Options::active() const noexcept {
    return mode != Mode::Off ||
           std::any_of(domains.begin(), domains.end(), [](const auto& each) { return each.second != Mode::Off; });
}

Result<std::shared_ptr<const Options>> Options::from(const config::Config& config) {
    auto options = std::make_shared<Options>();
    options->mode = mode_named(config.string("smtp.authentication")).value_or(Mode::Enforce);
    for (const auto& [name, value] : config.table("smtp.authentication_domains")) {
        const auto domain = dns_domain(name);
        const auto mode = mode_named(value);
        if (domain.empty() || !mode)
            return fail(Errc::Config, fmt::format("smtp.authentication_domains: '{}' = '{}' is not a domain and one of "
                                                  "enforce, observe and off",
                                                  text::printable(name), text::printable(value)));
        options->domains[domain] = *mode;
    }
    const std::string hostname = hostname_of(config);
    const std::string& id = config.string("smtp.authserv_id");
    options->authserv_id = id.empty() ? hostname : id;
    options->own_ids_ = {options->authserv_id, hostname};
    for (const auto& each : config.strings("smtp.authserv_own_ids")) options->own_ids_.push_back(each);
    const std::string& spf = config.string("smtp.spf_refusal");
    options->spf_refusal = spf == "never"    ? SpfRefusal::Never
                           : spf == "always" ? SpfRefusal::Always
                                             : SpfRefusal::NoMail;
    options->defer_temporary = config.string("smtp.authentication_temperror") == "defer";
    options->check_loopback = config.boolean("smtp.authentication_loopback");
    options->time = std::chrono::seconds(config.duration_s("smtp.authentication_time"));
    options->lookups = static_cast<unsigned>(config.integer("smtp.authentication_lookups"));

    GK_TRY(options->trusted_sealers, domains_of(config, "arc.trusted_sealers"));
    // The list of public suffixes is opened only where it is needed.
    if (options->active()) {
        GK_TRY(options->dmarc_, dmarc::Configured::load(config));
    }
    return options;
}

const std::vector<std::string>& own_fields() noexcept {
    static const std::vector<std::string> fields = {text::lower(message::kQuarantineField)};
    return fields;
}

}  // namespace gk::mailauth::gate
