// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/dnscheck/lookups.hpp"

// From a list of changes to DNS that shows them.
namespace gk::dnscheck {

struct ZoneChanges {
    std::string zone;
    std::string primary;  // the name server that the zone's SOA names
    std::vector<Change> changes;
};
// By zone, in the order of the first change of each. Changes of a name whose zone is not found are in one without name.
std::vector<ZoneChanges> by_zone(const std::vector<Change>& changes, Lookups& dns);

// A TSIG key (RFC 8945).
struct UpdateKey {
    std::string algorithm, name, secret;  // "hmac-sha256"; secret in base64
};
// Either "hmac-sha256:name:secret", or BIND's: key "name" { algorithm hmac-sha256; secret "…"; };
Result<UpdateKey> parse_update_key(std::string_view text);

// "192.0.2.1", "192.0.2.1@5353", "192.0.2.1:5353" or "[2001:db8::1]:53" to address and port.
Result<std::pair<std::string, unsigned>> parse_server(std::string_view text);

// What nsupdate and knsupdate read: one update of one zone (RFC 2136). Holds the key's secret.
std::string update_script(const ZoneChanges& zone, std::string_view server, unsigned port, const UpdateKey* key);

// Sends an update by nsupdate or knsupdate, whichever is installed. Unsupported where neither is; Denied with what the
// program said where the server did not take it.
Status send_update(const ZoneChanges& zone, std::string_view server, unsigned port, const UpdateKey* key);

// Offers the changes of a zone to each program in DIRECTORY in name order: one JSON object a line on its standard
// input. Exit code 0: taken; 69: not a zone of its; anything else: it failed. NotFound where no program takes the zone.
Status send_by_hooks(const std::string& directory, const ZoneChanges& zone);
// Names of the programs in it.
std::vector<std::string> hooks_in(const std::string& directory);

// The changes that DNS does not show yet.
std::vector<Change> not_seen(const std::vector<Change>& changes, Lookups& dns);

}  // namespace gk::dnscheck
