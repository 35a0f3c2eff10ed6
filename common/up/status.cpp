// SPDX-License-Identifier: MIT
#include "common/up/status.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <map>

#include "common/base/text.hpp"
#include "common/net/stream.hpp"
#include "common/os/file.hpp"

namespace gk::up {

namespace {

namespace json = boost::json;
constexpr net::milliseconds kPatience{5000};
constexpr std::size_t kMaxAnswer = 1 << 20;

std::string text_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::int64_t number_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

Result<std::string> ask_up(const std::string& path) {
    GK_TRY(auto stream, net::connect_unix(path, kPatience));
    std::string answer;
    char buffer[4096];
    while (answer.size() < kMaxAnswer) {
        GK_TRY(const std::size_t n, stream->read_some(buffer, kPatience));
        if (n == 0) break;
        answer.append(buffer, n);
    }
    return answer;
}

Result<std::string> ask_systemctl() {
    // A fixed command line: nothing of it comes from outside.
    FILE* pipe = ::popen(
        "systemctl show 'gk-*.service' --timestamp=us+utc "
        "--property=Id,ActiveState,SubState,MainPID,StateChangeTimestamp,NRestarts,StatusText,Result 2>/dev/null",
        "re");
    if (pipe == nullptr) return fail_errno("cannot run systemctl");
    std::string text;
    char buffer[4096];
    for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0 && text.size() < kMaxAnswer;)
        text.append(buffer, n);
    ::pclose(pipe);
    return text;
}

// "Sun 2026-11-22 09:45:08.123456 UTC" to "2026-11-22T09:45:08Z".
std::string rfc3339_of(std::string_view systemd_time) {
    const auto words = text::words(systemd_time);
    if (words.size() < 3) return "";
    return fmt::format("{}T{}Z", words[1], words[2].substr(0, words[2].find('.')));
}

}  // namespace

Result<StatusReport> parse_up_status(std::string_view text) {
    boost::system::error_code error;
    const auto value = json::parse(json::string_view(text.data(), text.size()), error);
    if (error || !value.is_object()) return fail(Errc::BadInput, "gk-up's answer is no JSON object");
    const auto& line = value.get_object();
    StatusReport report;
    report.manager = "gk-up";
    const auto* daemons = line.if_contains("daemons");
    if (daemons == nullptr || !daemons->is_array()) return fail(Errc::BadInput, "gk-up's answer names no daemons");
    for (const auto& one : daemons->get_array()) {
        if (!one.is_object()) continue;
        const auto& d = one.get_object();
        DaemonStatus status{text_of(d, "name"),   text_of(d, "state"),   false,
                            number_of(d, "pid"),  text_of(d, "since"),   number_of(d, "restarts"),
                            text_of(d, "status"), text_of(d, "last_end")};
        status.ready = status.state == "ready";
        report.daemons.push_back(std::move(status));
    }
    return report;
}

StatusReport parse_systemctl_show(std::string_view text) {
    StatusReport report;
    std::map<std::string, std::string, std::less<>> unit;
    auto finish = [&] {
        std::string name = unit["Id"];
        if (name.ends_with(".service")) {
            name.resize(name.size() - 8);
            DaemonStatus status;
            status.name = name;
            status.state = unit["ActiveState"];
            status.ready = status.state == "active" && unit["SubState"] == "running";
            status.pid = text::to_int(unit["MainPID"]).value_or(0);
            status.since = rfc3339_of(unit["StateChangeTimestamp"]);
            status.restarts = text::to_int(unit["NRestarts"]).value_or(0);
            status.status = unit["StatusText"];
            if (unit["Result"] != "success") status.last_end = unit["Result"];
            report.daemons.push_back(std::move(status));
        }
        unit.clear();
    };
    for (const auto line : text::split(text, '\n')) {
        if (line.empty()) finish();
        else if (const auto equals = line.find('='); equals != std::string_view::npos)
            unit[std::string(line.substr(0, equals))] = line.substr(equals + 1);
    }
    finish();
    if (!report.daemons.empty()) report.manager = "systemd";
    return report;
}

Result<StatusReport> read_status(const config::Paths& paths) {
    if (os::exists(paths.run + "/up.sock")) {
        auto answer = ask_up(paths.run + "/up.sock");
        if (answer) return parse_up_status(*answer);
        // A socket file that nobody listens on: gk-up was killed.
        if (answer.error().os_errno != ECONNREFUSED) return fail(answer.error().in("cannot ask gk-up"));
    }
    if (::access((paths.run + "/up.sock").c_str(), F_OK) != 0 && errno == EACCES) return fail_errno("cannot ask gk-up");
    if (!paths.log.empty()) return StatusReport{};  // below a --root there is no systemd
    GK_TRY(const auto text, ask_systemctl());
    return parse_systemctl_show(text);
}

}  // namespace gk::up
