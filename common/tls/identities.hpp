// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/tls/tls.hpp"

namespace gk::tls {

// The certificates a server offers, the default one first:
//   - CERTIFICATE and KEY (the settings tls.certificate and tls.key), where set;
//   - else default.crt and default.key;
//   - then every further NAME.crt with its NAME.key, in name order, for SNI.
// Names are looked up below KEYS_DIR/tls, or, where the service manager passed them as credentials
// (systemd.exec(5), LoadCredential=tls:…: files tls_NAME.crt in $CREDENTIALS_DIRECTORY), there.
// NotFound, naming the place, where there is no default.
Result<std::vector<Identity>> find_identities(const std::string& certificate, const std::string& key,
                                              const std::string& keys_dir);

}  // namespace gk::tls
