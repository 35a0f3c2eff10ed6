// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/os/daemon.hpp"
#include "common/os/file.hpp"
#include "common/up/supervisor.hpp"

using namespace gk;

namespace {

struct Arguments {
    std::string root, units, programs, listen = "127.0.0.1", only, longest_delay = "30s";
    std::int64_t port_base = 0;
    bool json = false, users = false;
};

Result<std::string> absolute(const std::string& path) {
    char resolved[PATH_MAX];
    if (::realpath(path.c_str(), resolved) == nullptr) return fail_errno(fmt::format("cannot open '{}'", path));
    return std::string(resolved);
}

Result<std::string> own_directory() {
    GK_TRY(auto self, absolute("/proc/self/exe"));
    return self.substr(0, self.rfind('/'));
}

// Beside the source tree's build/bin, else where packages put them.
Result<std::string> find_units(const std::string& wish, const std::string& programs) {
    if (!wish.empty()) return absolute(wish);
    for (const auto& directory :
         {programs + "/../../systemd", programs + "/../../../systemd", std::string("/usr/lib/systemd/system")})
        if (os::exists(directory + "/gk-smtpd.service")) return absolute(directory);
    return fail(Errc::NotFound, "no systemd units found: --units says where they are");
}

Result<up::Supervisor> prepare(const Arguments& arguments, const config::Paths& paths,
                               const std::function<void(const std::string&)>& notice) {
    GK_TRY(const auto own, own_directory());
    std::string programs = own;
    if (!arguments.programs.empty()) {
        GK_TRY(programs, absolute(arguments.programs));
    }
    GK_TRY(const auto directory, find_units(arguments.units, own));
    GK_TRY(const auto units, up::read_units(directory));
    GK_TRY(auto plan, up::plan_from_units(units));
    std::vector<std::string> only;
    for (const auto word : text::split(arguments.only, ','))
        if (!text::trim(word).empty()) only.emplace_back(text::trim(word));
    GK_TRY(plan, up::select(std::move(plan), only));
    if (arguments.port_base < 0 || arguments.port_base > 65535)
        return fail(Errc::BadInput, "--port-base is a number from 0 to 65535");
    GK_TRY(plan, up::place(std::move(plan), {paths.run, arguments.listen == "*" ? "" : arguments.listen,
                                             static_cast<std::uint16_t>(arguments.port_base)}));
    const auto longest_delay_s = text::to_duration_s(arguments.longest_delay);
    if (!longest_delay_s)
        return fail(Errc::BadInput,
                    fmt::format("--restart-delay-most takes a time such as 30s, not '{}'", arguments.longest_delay));
    for (auto& daemon : plan) daemon.longest_delay_usec = static_cast<std::uint64_t>(*longest_delay_s) * 1'000'000;
    return up::Supervisor::open(std::move(plan), {.root = arguments.root,
                                                  .programs = programs,
                                                  .run = paths.run,
                                                  .log = paths.log,
                                                  .change_user = arguments.users,
                                                  .notice = notice});
}

// Our own events go where the daemons' go; what a person must see stays on the terminal.
class Console {
public:
    explicit Console(const std::string& log_directory) : terminal_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
        if (log_directory.empty() || !os::make_directories(log_directory, 0750)) return;
        const os::Fd log(
            ::open((log_directory + "/gk-up.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
        if (log) ::dup2(log.get(), STDERR_FILENO);
    }
    void say(const std::string& text) const {
        const std::string line = "gk-up: " + text + "\n";
        (void)!::write(terminal_.get(), line.data(), line.size());
    }
    void restore() const { ::dup2(terminal_.get(), STDERR_FILENO); }

private:
    os::Fd terminal_;
};

int up_and_running(Arguments arguments) {
    if (!arguments.root.empty()) {
        auto root = absolute(arguments.root);
        if (!root && root.error().os_errno == ENOENT)
            return cli::fail({Errc::Config,
                              fmt::format("there is no '{}': create it with gk-config init --root", arguments.root),
                              0});
        if (!root) return cli::fail(root.error());
        arguments.root = *root;
    }
    if (arguments.users && ::getuid() != 0) return cli::usage("--users needs root");
    const auto paths = config::Paths::under(arguments.root);
    if (::access(paths.toml.c_str(), R_OK) != 0 && errno != ENOENT)
        return cli::fail(os_error(errno, fmt::format("cannot open '{}'", paths.toml)));
    if (!os::exists(paths.toml))
        return cli::fail({Errc::Config, fmt::format("there is no '{}': create it with gk-config init", paths.toml), 0});

    const Console console(paths.log);
    log::open("gk-up");
    auto signals = os::Signals::install();
    if (!signals) return cli::fail(signals.error());
    auto supervisor = prepare(arguments, paths, [&](const std::string& text) { console.say(text); });
    if (!supervisor) {
        console.restore();
        return cli::fail(supervisor.error());
    }
    const auto ended = supervisor->run(*signals, [&] {
        os::notify_ready("all daemons are ready");
        if (arguments.json) {
            fmt::print("{}\n", supervisor->ready_json());
        } else {
            fmt::print("ready\n");
            for (const auto& [name, address] : supervisor->addresses()) fmt::print("  {:<14} {}\n", name, address);
        }
        std::fflush(stdout);
    });
    if (ended) return 0;
    console.restore();
    cli::fail(ended.error());
    return supervisor->exit_code() != 0 ? supervisor->exit_code() : cli::exit_code(ended.error().code);
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    if (const char* root = std::getenv("GK_ROOT"); root != nullptr) arguments.root = root;
    return cli::run(
        {.name = "gk-up",
         .summary = "start gk's daemons where there is no systemd, and keep them running",
         .description =
             "Opens the sockets that the systemd units describe, starts the daemons with them exactly as systemd "
             "would, restarts "
             "what dies, reloads all on SIGHUP and stops cleanly on SIGTERM. Their logs are ROOT/log/PROGRAM.log.",
         .options = {{"--root", &arguments.root, "everything of this gk is below DIR", "DIR"},
                     {"--port-base", &arguments.port_base,
                      "add N to every standard port: 20000 gives 20025, 20587, 20143 …", "N"},
                     {"--listen", &arguments.listen, "address to listen on; * for all", "ADDRESS"},
                     {"--only", &arguments.only, "start these daemons alone, divided by commas: smtp,deliver", "NAMES"},
                     {"--restart-delay-most", &arguments.longest_delay,
                      "longest wait before a daemon that keeps dying is started again", "TIME"},
                     {"--units", &arguments.units, "where the unit files are", "DIR"},
                     {"--programs", &arguments.programs, "where the daemons are, if not beside gk-up", "DIR"},
                     {"--users", &arguments.users, "run each daemon as the User= of its unit; needs root"},
                     {"--json", &arguments.json, "when all are ready, print one line of JSON with every address"}},
         .examples = {"gk-up --root /srv/mail --port-base 20000  # SMTP on 127.0.0.1:20025, IMAP on 20143 and 20993",
                      "gk-up --users --listen '*'  # as the first process of a container"},
         .run = [&] { return up_and_running(arguments); }},
        argc, argv);
}
