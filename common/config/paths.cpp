// SPDX-License-Identifier: MIT
#include "common/config/config.hpp"

namespace gk::config {

Paths Paths::under(const std::string& root) {
    if (root.empty()) {
        const std::string lib = "/var/lib/gk/";
        return {"/etc/gk/gk.toml", "/etc/gk/gk.toml.d", lib + "gk.db",
                lib + "auth.db",   lib + "keys",        lib + "spool",
                lib + "mail",      "/run/gk",           "",
                lib + "reports"};
    }
    std::string base = root;
    while (base.size() > 1 && base.back() == '/') base.pop_back();
    if (base != "/") base += '/';
    return {base + "gk.toml", base + "gk.toml.d", base + "gk.db", base + "auth.db", base + "keys",
            base + "spool",   base + "mail",      base + "run",   base + "log",     base + "reports"};
}

}  // namespace gk::config
