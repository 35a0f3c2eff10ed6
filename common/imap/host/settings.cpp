// SPDX-License-Identifier: MIT
#include "common/imap/host/settings.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "common/base/text.hpp"
#include "common/config/message_limits.hpp"

namespace gk::imap {

namespace {

std::string hostname_of(const config::Config& config) {
    if (const auto& name = config.string("server.hostname"); !name.empty()) return name;
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    return name;
}

}  // namespace

HostSettings host_settings(const config::Config& config) {
    const auto duration = [&](std::string_view key) {
        return std::chrono::milliseconds(config.duration_s(key) * 1000);
    };
    HostSettings settings;
    settings.session.limits.line = config.size("imap.line_size");
    settings.session.limits.literal = config.size("imap.literal_size");
    settings.session.limits.command = config.size("imap.command_size");
    settings.session.max_message = config.size("imap.max_message");
    settings.session.gather = true;
    settings.session.hostname = hostname_of(config);
    settings.session.limits.skipped = 2 * settings.session.max_message;
    settings.session.max_bad_commands = static_cast<int>(config.integer("imap.bad_commands"));
    settings.session.search = search::index_options(config);
    config::read_message_limits(config, settings.message);
    settings.idle_timeout = duration("imap.idle_timeout");
    settings.write_timeout = duration("imap.write_timeout");
    settings.start_timeout = duration("imap.start_timeout");
    settings.drain_timeout = duration("imap.drain_timeout");
    settings.confine_required = config.string("imap.confine") == "require";
    settings.sleep_after = duration("imap.sleep_after");
    settings.sleep_silent_after = duration("imap.sleep_silent_after");
    settings.sessions = static_cast<std::size_t>(config.integer("imap.sessions"));
    settings.sessions_per_account = static_cast<std::size_t>(config.integer("imap.sessions_per_account"));
    return settings;
}

Result<std::string> home_of(const std::string& mail, std::string_view account) {
    const std::size_t at = account.rfind('@');
    const auto is_name = [](std::string_view part) {
        return !part.empty() && part.front() != '.' && part.find('/') == std::string_view::npos &&
               part.find('\0') == std::string_view::npos;
    };
    if (at == std::string_view::npos || !is_name(account.substr(0, at)) || !is_name(account.substr(at + 1)))
        return fail(Errc::BadInput, fmt::format("'{}' is not the name of an account", text::printable(account, 100)));
    return fmt::format("{}/{}/{}", mail, account.substr(at + 1), account.substr(0, at));
}

std::string account_of(std::string_view mail, std::string_view directory) {
    if (!directory.starts_with(mail) || directory.size() <= mail.size() || directory[mail.size()] != '/') return "";
    const auto levels = text::split(directory.substr(mail.size() + 1), '/');
    return levels.size() < 2 ? "" : fmt::format("{}@{}", levels[1], levels[0]);
}

}  // namespace gk::imap
