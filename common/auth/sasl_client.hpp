// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

// The client's side of SASL, for a smarthost that wants a login. Bytes in and out are not base64.
namespace gk::auth {

struct ClientBinding {
    std::string type;  // "tls-exporter" or "tls-server-end-point"; empty for none
    std::string bytes;
};

class SaslClient {
public:
    virtual ~SaslClient() = default;
    virtual std::string_view mechanism() const noexcept = 0;
    // What to send with the AUTH command, or nothing for a mechanism in which the server speaks first.
    virtual Result<std::optional<std::string>> initial_response() = 0;
    // The answer to a challenge. An error ends the exchange: the server is not who knows the password.
    virtual Result<std::string> respond(std::string_view challenge) = 0;
    // True once success from the server may be believed (after SCRAM's server signature was seen).
    virtual bool may_succeed() const noexcept = 0;
};

// Unsupported for a mechanism gk does not know; Denied for one that needs a channel binding that is not there.
Result<std::unique_ptr<SaslClient>> make_sasl_client(std::string_view mechanism, std::string user, std::string password,
                                                     ClientBinding binding = {});
// The strongest of OFFERED that may be used, or nothing: PLAIN and LOGIN only where TLS is set.
std::optional<std::string> choose_mechanism(const std::vector<std::string>& offered, bool tls, bool has_binding);

}  // namespace gk::auth
