// SPDX-License-Identifier: MIT
#include <unistd.h>
#include <boost/json.hpp>

#include "common/up/supervisor.hpp"

namespace gk::up {

namespace json = boost::json;

std::vector<std::pair<std::string, std::string>> Supervisor::addresses() const {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& entry : entries_)
        for (const auto& socket : entry.child.plan().sockets) out.emplace_back(socket.name, address_of(socket));
    return out;
}

std::string Supervisor::ready_json() const {
    json::object all;
    for (const auto& [name, address] : addresses()) all[name] = address;
    json::object line;
    line["schema"] = 1;
    line["root"] = options_.root;
    line["pid"] = ::getpid();
    line["addresses"] = std::move(all);
    return json::serialize(line);
}

std::string Supervisor::status_json() const {
    json::array daemons;
    for (const auto& entry : entries_) {
        const auto& child = entry.child;
        json::object sockets;
        for (const auto& socket : child.plan().sockets) sockets[socket.name] = address_of(socket);
        json::object one;
        one["name"] = child.plan().name;
        one["state"] = state_name(child.state());
        one["pid"] = child.pid();
        one["since"] = format_rfc3339(child.since(), true);
        one["restarts"] = child.restarts();
        one["status"] = child.status_text();
        one["last_end"] = child.last_end();
        one["sockets"] = std::move(sockets);
        daemons.push_back(std::move(one));
    }
    json::object line;
    line["schema"] = 1;
    line["manager"] = "gk-up";
    line["pid"] = ::getpid();
    line["root"] = options_.root;
    line["state"] = stopping_ ? "stopping" : ready_ ? "ready" : "starting";
    line["since"] = format_rfc3339(since_, true);
    line["daemons"] = std::move(daemons);
    return json::serialize(line);
}

}  // namespace gk::up
