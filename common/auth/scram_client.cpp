// SPDX-License-Identifier: MIT
#include "common/auth/scram.hpp"
#include "common/auth/scram_text.hpp"
#include "common/base/ids.hpp"
#include "common/base/text.hpp"

namespace gk::auth {

namespace {

// A server that asks for more rounds than this only wants our processor.
constexpr std::uint64_t kMostIterations = 10'000'000;

tl::unexpected<Error> malformed(std::string_view what) {
    return fail(Errc::Permanent, fmt::format("malformed SCRAM message from the server: {}", what));
}

}  // namespace

ScramClient::ScramClient(std::string user, std::string password, std::string binding_type, std::string binding,
                         std::string nonce)
    : user_(std::move(user)),
      password_(std::move(password)),
      gs2_header_(binding_type.empty() ? "n,," : "p=" + binding_type + ",,"),
      binding_(std::move(binding)),
      nonce_(nonce.empty() ? text::to_base64(random_bytes(18)) : std::move(nonce)) {}

Result<std::string> ScramClient::client_first() {
    client_first_bare_ = fmt::format("n={},r={}", encode_saslname(user_), nonce_);
    return gs2_header_ + client_first_bare_;
}

Result<std::string> ScramClient::client_final(std::string_view server_first) {
    if (server_first.size() > kMostScramMessage) return malformed("too long");
    std::string_view rest = server_first;
    const auto nonce = take_attribute(rest, 'r');
    if (!nonce || !is_scram_nonce(*nonce) || nonce->size() <= nonce_.size() || !nonce->starts_with(nonce_))
        return malformed("bad nonce");
    const auto salt_text = take_attribute(rest, 's');
    const auto salt = salt_text ? text::from_base64(*salt_text) : std::nullopt;
    if (!salt || salt->empty()) return malformed("bad salt");
    const auto rounds_text = take_attribute(rest, 'i');
    const auto rounds = rounds_text ? text::to_uint(*rounds_text) : std::nullopt;
    // RFC 7677, 4: fewer rounds than 4096 is no protection.
    if (!rounds || *rounds < 4096 || *rounds > kMostIterations) return malformed("bad number of rounds");

    GK_TRY(const std::string prepared, prepare_password(password_));
    const std::string salted = salted_password(prepared, *salt, static_cast<int>(*rounds));
    const ScramKeys keys = scram_keys(salted);
    const std::string without_proof = fmt::format("c={},r={}", text::to_base64(gs2_header_ + binding_), *nonce);
    const std::string auth_message = fmt::format("{},{},{}", client_first_bare_, server_first, without_proof);
    std::string proof = hmac_sha256(salted, "Client Key");
    const std::string signature = hmac_sha256(keys.stored_key, auth_message);
    for (std::size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
    server_signature_ = hmac_sha256(keys.server_key, auth_message);
    return fmt::format("{},p={}", without_proof, text::to_base64(proof));
}

Status ScramClient::check_server_final(std::string_view server_final) {
    std::string_view rest = server_final;
    if (const auto error = take_attribute(rest, 'e'))
        return fail(Errc::Denied, fmt::format("the server says: {}", text::printable(*error, 80)));
    const auto value = take_attribute(rest, 'v');
    const auto signature = value ? text::from_base64(*value) : std::nullopt;
    if (!signature || server_signature_.empty() || !equals_constant_time(*signature, server_signature_))
        return fail(Errc::Permanent, "the server does not know the password it asks for");
    return ok();
}

}  // namespace gk::auth
