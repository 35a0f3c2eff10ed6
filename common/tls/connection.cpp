// SPDX-License-Identifier: MIT
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <cerrno>

#include "common/net/network.hpp"
#include "common/tls/internal.hpp"

namespace gk::tls {
namespace {

// What an SSL_* call that did not succeed means.
Result<Want> judge(Connection::Impl& impl, int result, std::string_view what) {
    const int error_number = errno;
    switch (SSL_get_error(impl.ssl.get(), result)) {
        case SSL_ERROR_WANT_READ: return Want::Read;
        case SSL_ERROR_WANT_WRITE: return Want::Write;
        case SSL_ERROR_ZERO_RETURN: return Want::Closed;
        case SSL_ERROR_SYSCALL:
            impl.broken = true;
            ERR_clear_error();
            if (error_number == 0 || error_number == ECONNRESET || error_number == EPIPE)
                return fail(Errc::Closed, "the peer ended the connection");
            return fail(os_error(error_number, what));
        default: impl.broken = true; return fail(openssl_error(Errc::BadInput, what));
    }
}

X509Ptr server_certificate(SSL* ssl) {
    if (SSL_is_server(ssl) == 0) return X509Ptr(SSL_get1_peer_certificate(ssl));
    X509* certificate = SSL_get_certificate(ssl);
    if (certificate != nullptr) X509_up_ref(certificate);
    return X509Ptr(certificate);
}

}  // namespace

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

Result<Connection> Connection::accept(const ServerContext& context, int fd) {
    auto impl = std::make_unique<Impl>();
    impl->server = context.state();
    impl->ssl.reset(SSL_new(impl->server->contexts.front().get()));
    if (!impl->ssl || SSL_set_fd(impl->ssl.get(), fd) != 1)
        return fail(openssl_error(Errc::Temporary, "cannot begin TLS"));
    SSL_set_accept_state(impl->ssl.get());
    return Connection(std::move(impl));
}

Result<Connection> Connection::connect(ClientContext& context, int fd, const Peer& peer) {
    auto impl = std::make_unique<Impl>();
    impl->client = &context.state();
    impl->peer = peer;
    impl->session_key = session_key(peer);
    impl->ssl.reset(SSL_new(context.state().context.get()));
    SSL* ssl = impl->ssl.get();
    if (ssl == nullptr || SSL_set_fd(ssl, fd) != 1) return fail(openssl_error(Errc::Temporary, "cannot begin TLS"));
    SSL_set_connect_state(ssl);
    SSL_set_ex_data(ssl, connection_index(), impl.get());
    GK_CHECK(expect_peer(ssl, peer));
    std::lock_guard lock(context.state().mutex);
    auto& sessions = context.state().sessions;
    if (const auto session = sessions.find(impl->session_key); session != sessions.end())
        SSL_set_session(ssl, session->second.get());
    return Connection(std::move(impl));
}

Result<Want> Connection::handshake() {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_do_handshake(impl_->ssl.get());
    if (result == 1) return Want::None;
    GK_TRY(const auto want, judge(*impl_, result, "TLS handshake failed"));
    if (want == Want::Closed) return fail(Errc::Closed, "the peer ended the connection during the TLS handshake");
    return want;
}

Result<Connection::Io> Connection::read(std::span<char> buffer) {
    ERR_clear_error();
    errno = 0;
    Io io;
    const int result = SSL_read_ex(impl_->ssl.get(), buffer.data(), buffer.size(), &io.count);
    if (result == 1) return io;
    auto want = judge(*impl_, result, "cannot read over TLS");
    if (!want && want.error().code == Errc::Closed) want = Want::Closed;
    if (!want) return fail(std::move(want).error());
    return Io{0, *want};
}

Result<Connection::Io> Connection::write(std::string_view bytes) {
    if (bytes.empty()) return Io{};
    ERR_clear_error();
    errno = 0;
    Io io;
    const int result = SSL_write_ex(impl_->ssl.get(), bytes.data(), bytes.size(), &io.count);
    if (result == 1) return io;
    GK_TRY(const auto want, judge(*impl_, result, "cannot write over TLS"));
    return Io{0, want};
}

void Connection::shutdown() noexcept {
    if (!impl_ || impl_->broken || SSL_is_init_finished(impl_->ssl.get()) == 0) return;
    SSL_shutdown(impl_->ssl.get());
    ERR_clear_error();
}

bool Connection::has_pending() const noexcept { return SSL_has_pending(impl_->ssl.get()) == 1; }

Info Connection::info() const {
    SSL* ssl = impl_->ssl.get();
    Info info;
    info.version = SSL_get_version(ssl);
    if (const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl)) {
        info.cipher = SSL_CIPHER_standard_name(cipher);  // as IANA calls it (RFC 8314, 4.3)
        info.bits = SSL_CIPHER_get_bits(cipher, nullptr);
    }
    if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) info.sni = name;
    info.resumed = SSL_session_reused(ssl) == 1;
    if (SSL_is_server(ssl) == 0) {
        const long result = SSL_get_verify_result(ssl);
        info.verified = result == X509_V_OK && !impl_->peer.server_name.empty();
        info.trust = info.verified || result != X509_V_OK ? trust_of(result) : Trust::Unchecked;
        if (result != X509_V_OK) info.verify_error = X509_verify_cert_error_string(result);
    }
    return info;
}

std::vector<std::string> Connection::peer_chain() const {
    std::vector<std::string> chain;
    const STACK_OF(X509)* shown = SSL_get_peer_cert_chain(impl_->ssl.get());
    for (int i = 0; shown != nullptr && i < sk_X509_num(shown); ++i) chain.push_back(to_der(sk_X509_value(shown, i)));
    return chain;
}

ChannelBindings Connection::bindings() const {
    SSL* ssl = impl_->ssl.get();
    ChannelBindings bindings;
    // RFC 9266, 2: 32 bytes, a zero-length context, and TLS 1.2 only with the extended master secret (4.2).
    constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
    unsigned char exported[32];
    const bool safe = SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) == 1;
    if (safe &&
        SSL_export_keying_material(ssl, exported, sizeof exported, kLabel.data(), kLabel.size(), nullptr, 0, 1) == 1)
        bindings.tls_exporter.assign(reinterpret_cast<char*>(exported), sizeof exported);

    // RFC 5929, 4.1: the certificate's hash by its own signature's function, SHA-256 in place of MD5 and SHA-1.
    if (const X509Ptr certificate = server_certificate(ssl)) {
        int digest = NID_undef;
        X509_get_signature_info(certificate.get(), &digest, nullptr, nullptr, nullptr);
        if (digest == NID_md5 || digest == NID_sha1) digest = NID_sha256;
        const EVP_MD* function = digest == NID_undef ? nullptr : EVP_get_digestbynid(digest);
        unsigned char hash[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        if (function != nullptr && X509_digest(certificate.get(), function, hash, &size) == 1)
            bindings.tls_server_end_point.assign(reinterpret_cast<char*>(hash), size);
    }
    ERR_clear_error();
    return bindings;
}

}  // namespace gk::tls
