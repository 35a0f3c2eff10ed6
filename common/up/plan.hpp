// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/os/fd.hpp"
#include "common/up/unit_file.hpp"

namespace gk::up {

// A socket that a .socket unit describes, before it is opened.
struct SocketPlan {
    std::string unit;  // "gk-smtpd.socket"
    std::string name;  // FileDescriptorName: the role
    bool datagram = false;
    std::string ip;          // "", for a bare port: any address
    std::uint16_t port = 0;  // 0 for a UNIX socket
    std::string path;
    unsigned mode = 0666;
    std::string user, group;  // SocketUser, SocketGroup
    int backlog = 1024;
    bool no_delay = false;
};

// A daemon that a .service unit describes, with its sockets in the order of Sockets=.
struct DaemonPlan {
    std::string name;                               // "gk-smtpd": unit and program
    std::vector<std::string> command;               // of ExecStart: program without directory, then arguments
    bool notifies = false;                          // Type=notify: ready when it says so; else once it runs
    std::uint64_t longest_delay_usec = 30'000'000;  // between restarts: the back-off doubles up to it
    bool restarts = true;                           // Restart= anything but no
    std::uint64_t watchdog_usec = 0;                // 0: none
    std::uint64_t start_timeout_usec = 90'000'000, stop_timeout_usec = 90'000'000;
    std::uint64_t open_files = 0;  // LimitNOFILE; 0: as we have it
    int umask = -1;
    std::string user, group;
    std::vector<std::string> supplementary_groups;
    std::vector<std::string> after;  // daemons that must outlive this one when all stop
    std::vector<SocketPlan> sockets;
};

// What the units say, sorted by daemon name. UNITS maps file names to texts.
Result<std::vector<DaemonPlan>> plan_from_units(const std::map<std::string, std::string>& units);
// The gk-*.service and gk-*.socket files of a directory.
Result<std::map<std::string, std::string>> read_units(const std::string& directory);

// Keeps what `--only smtp,deliver` names: program names with or without gk- before and d behind.
Result<std::vector<DaemonPlan>> select(std::vector<DaemonPlan> plan, const std::vector<std::string>& only);

// Where the units' addresses lie for this run: "25" becomes LISTEN:BASE+25, "/run/gk/x.sock" becomes RUN/x.sock.
struct Placement {
    std::string run;          // the directory of UNIX sockets
    std::string listen = "";  // address for bare ports; empty: any (:: with IPv4)
    std::uint16_t port_base = 0;
};
Result<std::vector<DaemonPlan>> place(std::vector<DaemonPlan> plan, const Placement& where);

// Opens a placed socket: bound, listening, close-on-exec. A dead UNIX socket in its way is replaced.
Result<os::Fd> open_socket(const SocketPlan& socket);
// "127.0.0.1:20025" or "unix:/…/run/lmtp.sock".
std::string address_of(const SocketPlan& socket);

}  // namespace gk::up
