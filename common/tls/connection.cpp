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

Result<Connection> Connection::connect(ClientContext& context, int fd, const std::string& server_name) {
    auto impl = std::make_unique<Impl>();
    impl->client = &context.state();
    impl->server_name = server_name;
    impl->ssl.reset(SSL_new(context.state().context.get()));
    SSL* ssl = impl->ssl.get();
    if (ssl == nullptr || SSL_set_fd(ssl, fd) != 1) return fail(openssl_error(Errc::Temporary, "cannot begin TLS"));
    SSL_set_connect_state(ssl);
    SSL_set_ex_data(ssl, connection_index(), impl.get());
    if (net::parse_ip(server_name)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server_name.c_str());
    } else if (!server_name.empty()) {
        SSL_set_tlsext_host_name(ssl, server_name.c_str());
        SSL_set1_host(ssl, server_name.c_str());
    }
    std::lock_guard lock(context.state().mutex);
    if (const auto session = context.state().sessions.find(server_name); session != context.state().sessions.end())
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
        info.verified = result == X509_V_OK && !impl_->server_name.empty();
        if (result != X509_V_OK) info.verify_error = X509_verify_cert_error_string(result);
    }
    return info;
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
