// SPDX-License-Identifier: MIT
#include "common/auth/scram.hpp"
#include "common/auth/scram_text.hpp"
#include "common/base/ids.hpp"
#include "common/base/text.hpp"

namespace gk::auth {

namespace {

tl::unexpected<Error> malformed(std::string_view what) {
    return fail(Errc::BadInput, fmt::format("malformed SCRAM message: {}", what));
}

std::string exclusive_or(std::string_view a, std::string_view b) {
    std::string out(a);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
    return out;
}

}  // namespace

ScramServer::ScramServer(bool plus, bool plus_offered, ChannelBinding binding)
    : plus_(plus), plus_offered_(plus_offered), binding_(std::move(binding)) {}

// gs2-cbind-flag "," [authzid] "," [reserved-mext ","] username "," nonce ["," extensions]   (RFC 5802, 7)
Result<std::string> ScramServer::client_first(std::string_view message) {
    if (message.size() > kMostScramMessage) return malformed("too long");
    std::string_view rest = message;
    if (rest.starts_with("p=")) {
        const auto type = take_attribute(rest, 'p');
        if (!plus_) return fail(Errc::Denied, "channel binding needs SCRAM-SHA-256-PLUS");
        if (*type == "tls-exporter") bound_ = binding_.tls_exporter;
        else if (*type == "tls-server-end-point") bound_ = binding_.tls_server_end_point;
        if (bound_.empty())
            return fail(Errc::Denied, fmt::format("channel binding '{}' is not there", text::printable(*type, 40)));
    } else if (rest.starts_with("n,") || rest.starts_with("y,")) {
        if (plus_) return fail(Errc::Denied, "SCRAM-SHA-256-PLUS without channel binding");
        // "y": the client could bind but saw no PLUS. We had offered it, so somebody took it away (RFC 5802, 6).
        if (rest[0] == 'y' && plus_offered_) return fail(Errc::Denied, "channel binding was downgraded on the way");
        rest.remove_prefix(2);
    } else {
        return malformed("no channel binding flag");
    }

    std::optional<std::string> authzid;
    if (rest.starts_with("a=")) {
        const auto value = take_attribute(rest, 'a');
        authzid = decode_saslname(*value);
        if (!authzid || authzid->empty()) return malformed("bad authorization identity");
        // take_attribute swallowed the comma that ends the header; without one nothing is left.
    } else if (rest.starts_with(',')) {
        rest.remove_prefix(1);
    } else {
        return malformed("bad header");
    }
    gs2_header_ = std::string(message.substr(0, message.size() - rest.size()));
    if (!gs2_header_.ends_with(',')) return malformed("bad header");

    client_first_bare_ = std::string(rest);
    if (rest.starts_with("m=")) return malformed("an extension that must be understood");
    const auto name = take_attribute(rest, 'n');
    const auto user = name ? decode_saslname(*name) : std::nullopt;
    if (!user || user->empty()) return malformed("no user name");
    const auto nonce = take_attribute(rest, 'r');
    if (!nonce || !is_scram_nonce(*nonce) || nonce->size() > 1024) return malformed("no nonce");
    if (authzid && *authzid != *user) return fail(Errc::Denied, "acting for another user is not permitted");
    nonce_ = std::string(*nonce);
    return *user;
}

std::string ScramServer::server_first(std::string_view salt, int iterations, std::string_view nonce) {
    nonce_ += nonce.empty() ? text::to_base64(random_bytes(18)) : std::string(nonce);
    server_first_ = fmt::format("r={},s={},i={}", nonce_, text::to_base64(salt), iterations);
    return server_first_;
}

// channel-binding "," nonce ["," extensions] "," proof
Result<ScramServer::Verdict> ScramServer::client_final(std::string_view message,
                                                       const std::vector<ScramKeys>& candidates) const {
    if (message.size() > kMostScramMessage) return malformed("too long");
    if (server_first_.empty()) return malformed("out of order");
    const std::size_t proof_at = message.rfind(",p=");
    if (proof_at == std::string_view::npos) return malformed("no proof");
    const std::string_view without_proof = message.substr(0, proof_at);
    const auto proof = text::from_base64(message.substr(proof_at + 3));
    if (!proof || proof->size() != 32) return malformed("bad proof");
    std::string_view rest = without_proof;
    const auto binding = take_attribute(rest, 'c');
    const auto nonce = take_attribute(rest, 'r');
    if (!binding || !nonce) return malformed("no channel binding or nonce");
    const auto bound = text::from_base64(*binding);
    if (!bound) return malformed("bad channel binding");
    if (!equals_constant_time(*bound, gs2_header_ + bound_))
        return fail(Errc::Denied, "channel binding does not match");
    if (!equals_constant_time(*nonce, nonce_)) return fail(Errc::Denied, "nonce does not match");

    const std::string auth_message = fmt::format("{},{},{}", client_first_bare_, server_first_, without_proof);
    std::optional<Verdict> verdict;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const std::string signature = hmac_sha256(candidates[i].stored_key, auth_message);
        const bool fits = equals_constant_time(sha256(exclusive_or(*proof, signature)), candidates[i].stored_key);
        if (fits && !verdict)
            verdict = Verdict{i, "v=" + text::to_base64(hmac_sha256(candidates[i].server_key, auth_message))};
    }
    if (!verdict) return fail(Errc::Denied, "wrong password");
    return std::move(*verdict);
}

}  // namespace gk::auth
