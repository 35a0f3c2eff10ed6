// SPDX-License-Identifier: MIT
#include "common/tls/identities.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cstdlib>

#include "common/os/file.hpp"

namespace gk::tls {

namespace {

struct Place {
    std::string directory;
    std::string prefix;
    std::string path(const std::string& name) const { return directory + "/" + prefix + name; }
};

Place place_of(const std::string& keys_dir) {
    if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY"); credentials != nullptr) {
        const Place place{credentials, "tls_"};
        if (os::exists(place.path("default.crt"))) return place;
    }
    return {keys_dir + "/tls", ""};
}

}  // namespace

Result<std::vector<Identity>> find_identities(const std::string& certificate, const std::string& key,
                                              const std::string& keys_dir) {
    const Place place = place_of(keys_dir);
    std::vector<Identity> found;
    if (!certificate.empty()) {
        if (key.empty()) return fail(Errc::Config, "tls.certificate is set, but tls.key is not");
        found.push_back({certificate, key});
    } else if (os::exists(place.path("default.crt"))) {
        found.push_back({place.path("default.crt"), place.path("default.key")});
    } else {
        return fail(Errc::NotFound, fmt::format("no certificate '{}': gk-config init makes one, or set tls.certificate",
                                                place.path("default.crt")));
    }

    std::vector<std::string> names;
    if (auto entries = os::list_directory(place.directory))
        for (const auto& entry : *entries) {
            std::string_view name = entry.name;
            if (entry.is_directory || !name.starts_with(place.prefix) || !name.ends_with(".crt")) continue;
            name.remove_prefix(place.prefix.size());
            name.remove_suffix(4);
            if (name != "default" && os::exists(place.path(std::string(name) + ".key"))) names.emplace_back(name);
        }
    std::sort(names.begin(), names.end());
    for (const auto& name : names) found.push_back({place.path(name + ".crt"), place.path(name + ".key")});
    return found;
}

}  // namespace gk::tls
