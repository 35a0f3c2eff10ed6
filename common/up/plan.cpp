// SPDX-License-Identifier: MIT
#include "common/up/plan.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <limits>

#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::up {

namespace {

Result<unsigned> octal(const UnitFile& unit, std::string_view section, std::string_view key, unsigned otherwise) {
    const auto value = unit.find(section, key);
    if (!value) return otherwise;
    unsigned number = 0;
    for (const char c : *value) {
        if (c < '0' || c > '7' || number > 07777)
            return fail(Errc::BadInput, fmt::format("{}: {}={} is no octal mode", unit.name(), key, *value));
        number = number * 8 + static_cast<unsigned>(c - '0');
    }
    return number;
}

Result<std::uint64_t> time_span(const UnitFile& unit, std::string_view key, std::uint64_t otherwise) {
    const auto value = unit.find("Service", key);
    if (!value) return otherwise;
    const auto usec = parse_time_span(*value);
    if (!usec) return fail(Errc::BadInput, fmt::format("{}: {}={} is no time span", unit.name(), key, *value));
    return *usec;
}

// "25", "127.0.0.1:25", "[::1]:25" or "/path" (systemd.socket(5), ListenStream=).
Status read_address(const std::string& text, SocketPlan& socket) {
    auto wrong = [&] { return fail(Errc::BadInput, fmt::format("{}: cannot listen on '{}'", socket.unit, text)); };
    if (text.starts_with('/')) {
        socket.path = text;
        return ok();
    }
    std::string_view port = text;
    if (const std::size_t colon = text.rfind(':'); colon != std::string::npos) {
        std::string_view ip = std::string_view(text).substr(0, colon);
        if (ip.starts_with('[') != ip.ends_with(']')) return wrong();
        if (ip.starts_with('[')) ip = ip.substr(1, ip.size() - 2);
        socket.ip = ip;
        port = std::string_view(text).substr(colon + 1);
    }
    const auto number = text::to_uint(port);
    if (!number || *number == 0 || *number > 65535) return wrong();
    socket.port = static_cast<std::uint16_t>(*number);
    return ok();
}

Result<SocketPlan> read_socket(const UnitFile& unit) {
    SocketPlan socket;
    socket.unit = unit.name();
    const auto streams = unit.all("Socket", "ListenStream"), datagrams = unit.all("Socket", "ListenDatagram");
    if (streams.size() + datagrams.size() != 1)
        return fail(Errc::Unsupported, fmt::format("{}: one ListenStream= or ListenDatagram= is wanted, not {}",
                                                   unit.name(), streams.size() + datagrams.size()));
    socket.datagram = streams.empty();
    GK_CHECK(read_address(socket.datagram ? datagrams[0] : streams[0], socket));
    socket.name = unit.find("Socket", "FileDescriptorName").value_or(unit.name());
    GK_TRY(socket.mode, octal(unit, "Socket", "SocketMode", 0666));
    socket.user = unit.find("Socket", "SocketUser").value_or("");
    socket.group = unit.find("Socket", "SocketGroup").value_or("");
    socket.no_delay = unit.find("Socket", "NoDelay") == "yes";
    if (const auto backlog = unit.find("Socket", "Backlog")) {
        const auto number = text::to_uint(*backlog);
        if (!number || *number > 65535)
            return fail(Errc::BadInput, fmt::format("{}: Backlog={} is no number up to 65535", unit.name(), *backlog));
        socket.backlog = static_cast<int>(*number);
    }
    return socket;
}

Result<DaemonPlan> read_service(const UnitFile& unit) {
    DaemonPlan daemon;
    daemon.name = unit.name().substr(0, unit.name().rfind('.'));
    const auto command = unit.find("Service", "ExecStart");
    if (!command) return fail(Errc::BadInput, fmt::format("{}: no ExecStart=", unit.name()));
    auto words = split_command(*command);
    if (!words || words->empty())
        return fail(Errc::BadInput, fmt::format("{}: cannot read ExecStart={}", unit.name(), *command));
    daemon.command = std::move(*words);
    // Programs stand beside gk-up here, wherever they are installed to.
    const std::size_t slash = daemon.command[0].rfind('/');
    if (slash != std::string::npos) daemon.command[0].erase(0, slash + 1);

    const auto type = unit.find("Service", "Type").value_or("simple");
    if (type != "notify" && type != "simple" && type != "exec")
        return fail(Errc::Unsupported, fmt::format("{}: Type={} is not known here", unit.name(), type));
    daemon.notifies = type == "notify";
    daemon.restarts = unit.find("Service", "Restart").value_or("no") != "no";
    GK_TRY(daemon.watchdog_usec, time_span(unit, "WatchdogSec", 0));
    if (daemon.watchdog_usec == UINT64_MAX) daemon.watchdog_usec = 0;
    GK_TRY(daemon.start_timeout_usec, time_span(unit, "TimeoutStartSec", daemon.start_timeout_usec));
    GK_TRY(daemon.stop_timeout_usec, time_span(unit, "TimeoutStopSec", daemon.stop_timeout_usec));
    GK_TRY(const unsigned mask, octal(unit, "Service", "UMask", 0022));
    daemon.umask = static_cast<int>(mask);
    daemon.user = unit.find("Service", "User").value_or("");
    daemon.group = unit.find("Service", "Group").value_or("");
    daemon.supplementary_groups = unit.words("Service", "SupplementaryGroups");
    if (const auto limit = unit.find("Service", "LimitNOFILE")) {
        const auto number = text::to_uint(*limit);
        if (!number) return fail(Errc::BadInput, fmt::format("{}: LimitNOFILE={} is no number", unit.name(), *limit));
        daemon.open_files = *number;
    }
    for (const auto& other : unit.words("Unit", "After"))
        if (other.starts_with("gk-") && other.ends_with(".service"))
            daemon.after.push_back(other.substr(0, other.rfind('.')));
    return daemon;
}

}  // namespace

Result<std::map<std::string, std::string>> read_units(const std::string& directory) {
    GK_TRY(const auto entries, os::list_directory(directory));
    std::map<std::string, std::string> units;
    for (const auto& entry : entries) {
        if (entry.is_directory || !entry.name.starts_with("gk-")) continue;
        if (!entry.name.ends_with(".service") && !entry.name.ends_with(".socket")) continue;
        GK_TRY(units[entry.name], os::read_file(directory + "/" + entry.name, 1 << 20));
    }
    if (units.empty()) return fail(Errc::NotFound, fmt::format("no gk-*.service in '{}'", directory));
    return units;
}

Result<std::vector<DaemonPlan>> plan_from_units(const std::map<std::string, std::string>& units) {
    std::map<std::string, SocketPlan> sockets;
    std::vector<std::pair<UnitFile, DaemonPlan>> daemons;
    for (const auto& [name, content] : units) {
        GK_TRY(auto unit, UnitFile::parse(content, name));
        if (name.ends_with(".socket")) {
            GK_TRY(sockets[name], read_socket(unit));
        } else if (unit.has_section("Service") && unit.find("Service", "Type").value_or("simple") != "oneshot") {
            GK_TRY(auto daemon, read_service(unit));
            daemons.emplace_back(std::move(unit), std::move(daemon));
        }
    }
    std::vector<DaemonPlan> plan;
    for (auto& [unit, daemon] : daemons) {
        for (const auto& name : unit.words("Service", "Sockets")) {
            const auto found = sockets.find(name);
            if (found == sockets.end())
                return fail(Errc::BadInput,
                            fmt::format("{}: Sockets= names '{}', which is not there", unit.name(), name));
            daemon.sockets.push_back(found->second);
        }
        plan.push_back(std::move(daemon));
    }
    return plan;
}

Result<std::vector<DaemonPlan>> select(std::vector<DaemonPlan> plan, const std::vector<std::string>& only) {
    if (only.empty()) return plan;
    std::vector<std::string> names;
    for (const auto& daemon : plan) names.push_back(daemon.name);
    std::vector<std::string> wanted;
    for (const auto& word : only) {
        const auto found = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
            return name == word || name == "gk-" + word || name == "gk-" + word + "d";
        });
        if (found == names.end()) {
            const auto near = text::nearest("gk-" + word, names);
            return fail(Errc::NotFound, fmt::format("no unit for '{}'{}", text::printable(word),
                                                    near ? fmt::format("; did you mean {}?", *near) : ""));
        }
        wanted.push_back(*found);
    }
    std::erase_if(plan,
                  [&](const DaemonPlan& d) { return std::find(wanted.begin(), wanted.end(), d.name) == wanted.end(); });
    return plan;
}

Result<std::vector<DaemonPlan>> place(std::vector<DaemonPlan> plan, const Placement& where) {
    for (auto& daemon : plan)
        for (auto& socket : daemon.sockets) {
            if (!socket.path.empty()) {
                socket.path = where.run + socket.path.substr(socket.path.rfind('/'));
                continue;
            }
            const unsigned port = socket.port + static_cast<unsigned>(where.port_base);
            if (port > std::numeric_limits<std::uint16_t>::max())
                return fail(Errc::BadInput, fmt::format("port {} + {} is past 65535: choose a smaller --port-base",
                                                        where.port_base, socket.port));
            socket.port = static_cast<std::uint16_t>(port);
            if (socket.ip.empty()) socket.ip = where.listen;
        }
    return plan;
}

}  // namespace gk::up
