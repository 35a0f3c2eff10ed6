// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

// SCRAM-SHA-256 (RFC 5802 with the hash of RFC 7677), both sides, as text in and text out.
namespace gk::auth {

// What is stored of a password (RFC 5802, 3); useless for logging in elsewhere.
struct ScramKeys {
    std::string stored_key, server_key;
    bool operator==(const ScramKeys&) const = default;
};

// PBKDF2-HMAC-SHA-256: slow on purpose.
std::string salted_password(std::string_view password, std::string_view salt, int iterations);
ScramKeys scram_keys(std::string_view salted_password);
std::string hmac_sha256(std::string_view key, std::string_view bytes);
std::string sha256(std::string_view bytes);

// As SASLprep (RFC 4013) prepares: foreign spaces become SP, invisible characters vanish; control characters and
// what is not UTF-8 are refused. Compatibility characters are left alone: what the client sends is what was set,
// as long as it comes from a keyboard. At most 1,024 bytes.
Result<std::string> prepare_password(std::string_view password);

struct ChannelBinding {
    std::string tls_exporter;  // empty where the connection has none
    std::string tls_server_end_point;
    bool any() const noexcept { return !tls_exporter.empty() || !tls_server_end_point.empty(); }
};

// One exchange on the server's side. Errors are BadInput (malformed) or Denied (wrong proof, wrong binding).
class ScramServer {
public:
    // PLUS: the client chose SCRAM-SHA-256-PLUS. PLUS_OFFERED: it could have; a client that then says that the
    // server cannot was deceived by somebody between (RFC 5802, 6).
    ScramServer(bool plus, bool plus_offered, ChannelBinding binding);

    // The client-first message; gives the user name.
    Result<std::string> client_first(std::string_view message);
    // The server-first message. NONCE is for tests; empty for a fresh one.
    std::string server_first(std::string_view salt, int iterations, std::string_view nonce = "");
    struct Verdict {
        std::size_t which = 0;  // of the candidates
        std::string server_final;
    };
    // The client-final message against each of CANDIDATES; all are tried, whichever fits.
    Result<Verdict> client_final(std::string_view message, const std::vector<ScramKeys>& candidates) const;

private:
    bool plus_, plus_offered_;
    ChannelBinding binding_;
    std::string gs2_header_, bound_;  // BOUND: the channel binding bytes that the client named
    std::string client_first_bare_, server_first_, nonce_;
};

// The client's side.
class ScramClient {
public:
    // BINDING_TYPE empty: no channel binding ("n": this client does none, or the server offered none).
    ScramClient(std::string user, std::string password, std::string binding_type, std::string binding,
                std::string nonce = "");
    Result<std::string> client_first();
    Result<std::string> client_final(std::string_view server_first);
    Status check_server_final(std::string_view server_final);

private:
    std::string user_, password_, gs2_header_, binding_, nonce_, client_first_bare_, server_signature_;
};

}  // namespace gk::auth
