// SPDX-License-Identifier: MIT
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/gk-config/gk_config.hpp"
#include "common/auth/credentials.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/config/document.hpp"
#include "common/directory/directory.hpp"
#include "common/os/file.hpp"
#include "common/os/process.hpp"
#include "common/tls/tls.hpp"

namespace gk::config_tool {

namespace {

struct Place {
    std::string path;
    unsigned mode;
    std::string user = "", group = "";
};

// The same as systemd/gk.tmpfiles says.
std::vector<Place> places(const std::string& root, const config::Paths& paths) {
    const std::string home = paths.directory_db.substr(0, paths.directory_db.rfind('/'));
    std::vector<Place> all;
    if (root.empty()) all.push_back({"/etc/gk", 0755});
    all.push_back({home, 0751, "root", "gk-admin"});
    all.push_back({paths.toml_dir, 0755});
    all.push_back({paths.run, 0755});
    if (!paths.log.empty()) all.push_back({paths.log, 0750});
    // Where several users have their own in it, they pass through.
    all.push_back({paths.keys, ::geteuid() == 0 && os::find_identity("gk-mail", "gk-mail") ? 0711u : 0700u});
    all.push_back({paths.keys + "/tls", 0700});
    all.push_back({paths.keys + "/srs", 0700, "gk-mail", "gk-mail"});
    all.push_back({paths.mail, 0750, "gk-mail", "gk-mail"});
    all.push_back({paths.spool, 0751, "gk-queue", "gk-queue"});
    for (const char* name : {"/tmp", "/new"}) all.push_back({paths.spool + name, 03770, "gk-queue", "gk-spool"});
    all.push_back({paths.spool + "/reports", 03770, "gk-report", "gk-spool"});
    all.push_back({paths.spool + "/gate", 0750, "gk-smtp", "gk-smtp"});
    all.push_back({paths.reports, 0750, "gk-report", "gk-report"});
    for (const char* name : {"/active", "/corrupt"}) all.push_back({paths.spool + name, 0700, "gk-queue", "gk-queue"});
    return all;
}

// As root, and where gk's users exist; otherwise all belongs to the caller.
Status give(const std::string& path, const std::string& user, const std::string& group) {
    if (::geteuid() != 0 || user.empty()) return ok();
    const auto owner = os::find_identity(user, group);
    if (!owner) return ok();
    if (::chown(path.c_str(), owner->uid, owner->gid) != 0)
        return fail_errno(fmt::format("cannot give '{}' to {}", path, user));
    return ok();
}

Status make_place(const Place& place) {
    if (os::exists(place.path)) return ok();
    GK_CHECK(os::make_directories(place.path, 0755));
    GK_CHECK(give(place.path, place.user, place.group));
    // After chown, which would drop the set-group-id bit; mkdir's mode goes through the umask.
    if (::chmod(place.path.c_str(), place.mode) != 0)
        return fail_errno(fmt::format("cannot set the mode of '{}'", place.path));
    return ok();
}

std::string first_toml(const std::string& hostname) {
    return "# The configuration of gk: see gk.toml(5). `gk-config show` prints every setting with its default,\n"
           "# `gk-config check` says what is wrong; drop-ins in gk.toml.d/*.toml win over this file.\n\n"
           "[server]\nhostname = " +
           config::quoted(hostname) + "\n";
}

Result<std::string> own_hostname(const std::string& given) {
    std::string name = given;
    if (name.empty()) {
        char buffer[256] = {};
        if (::gethostname(buffer, sizeof buffer - 1) != 0) return fail_errno("cannot read the host name");
        name = buffer;
    }
    return directory::canonical_domain(name);
}

Status initialize(const Arguments& arguments, const config::Paths& paths, std::string& hostname) {
    if (os::exists(paths.toml)) return fail(Errc::Exists, fmt::format("there is a '{}' already", paths.toml));
    GK_TRY(hostname, own_hostname(arguments.hostname));
    for (const Place& place : places(arguments.root, paths)) GK_CHECK(make_place(place));

    const std::string certificate = paths.keys + "/tls/default.crt", key = paths.keys + "/tls/default.key";
    if (!os::exists(certificate) && !os::exists(key))
        GK_CHECK(tls::make_self_signed(hostname, {"localhost", "127.0.0.1", "::1"}, certificate, key));

    GK_TRY(const auto directory, directory::Directory::open(paths, false));
    GK_TRY(const auto credentials, auth::CredentialStore::open(paths.auth_db));
    for (const char* suffix : {"", "-wal", "-shm"}) {
        if (os::exists(paths.directory_db + suffix)) GK_CHECK(give(paths.directory_db + suffix, "root", "gk"));
        if (os::exists(paths.auth_db + suffix)) GK_CHECK(give(paths.auth_db + suffix, "gk-auth", "gk-auth"));
    }
    // Last, since it says that the rest is there: an init that broke off may be repeated.
    return os::replace_file(paths.toml, first_toml(hostname), 0644);
}

}  // namespace

int init(const Arguments& arguments) {
    Arguments absolute = arguments;
    if (!absolute.root.empty() && absolute.root.front() != '/') {
        std::string here(4096, '\0');
        if (::getcwd(here.data(), here.size()) == nullptr)
            return cli::fail(os_error(errno, "cannot tell the current directory"));
        absolute.root = std::string(here.c_str()) + "/" + absolute.root;
    }
    ::umask(022);
    const auto paths = config::Paths::under(absolute.root);
    std::string hostname;
    if (auto status = initialize(absolute, paths, hostname); !status) return cli::fail(status.error());
    if (arguments.json) {
        cli::Rows rows(true, {"hostname", "config", "certificate"});
        rows.add({hostname, paths.toml, paths.keys + "/tls/default.crt"});
        return 0;
    }
    fmt::print(stderr, "gk is ready to be told of domains: {}\n", paths.toml);
    // RFC 5321, 2.3.5: it is what we greet others with.
    if (hostname.find('.') == std::string::npos)
        fmt::print(stderr,
                   "its host name '{}' is not a full one, which other servers may refuse: set server.hostname with "
                   "gk-config set\n",
                   hostname);
    return 0;
}

}  // namespace gk::config_tool
