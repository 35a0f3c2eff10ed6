// SPDX-License-Identifier: MIT
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <csignal>

#include "common/base/ids.hpp"
#include "common/tls/internal.hpp"

namespace gk::tls {
namespace {

constexpr std::size_t kMaxClientSessions = 1000;
// No certificate that a mail server meets comes near it; the default is the same, said here since it is a limit.
constexpr long kMaxCertificateChainBytes = 100 * 1024;

// OpenSSL writes with write(2), which has no MSG_NOSIGNAL: a peer that hangs up would end the program.
void ignore_sigpipe() {
    struct sigaction action {};
    if (::sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
}

void set_common_options(SSL_CTX* context) {
    ignore_sigpipe();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);  // RFC 8996
    // An end of the connection without close_notify truncates nothing here: every protocol of ours frames its data.
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);  // header and body of a record in one read
    SSL_CTX_set_max_cert_list(context, kMaxCertificateChainBytes);
}

// Chooses the certificate by SNI: the first identity whose certificate names it, else the default (RFC 6066, 3).
int choose_identity(SSL* ssl, int*, void* argument) {
    const auto* state = static_cast<const ServerContext::State*>(argument);
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr || *name == '\0') return SSL_TLSEXT_ERR_NOACK;
    for (const auto& context : state->contexts) {
        X509* certificate = SSL_CTX_get0_certificate(context.get());
        if (certificate == nullptr || X509_check_host(certificate, name, 0, 0, nullptr) != 1) continue;
        if (SSL_get_SSL_CTX(ssl) != context.get()) SSL_set_SSL_CTX(ssl, context.get());
        break;
    }
    return SSL_TLSEXT_ERR_OK;
}

Result<SslCtxPtr> server_context(const Identity& identity, TicketKeys& keys) {
    SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
    if (!context) return fail(openssl_error(Errc::Bug, "cannot create a TLS context"));
    set_common_options(context.get());
    SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    if (SSL_CTX_use_certificate_chain_file(context.get(), identity.certificate_path.c_str()) != 1)
        return fail(openssl_error(Errc::Config, "cannot read certificate '" + identity.certificate_path + "'"));
    if (SSL_CTX_use_PrivateKey_file(context.get(), identity.key_path.c_str(), SSL_FILETYPE_PEM) != 1)
        return fail(openssl_error(Errc::Config, "cannot read key '" + identity.key_path + "'"));
    if (SSL_CTX_check_private_key(context.get()) != 1)
        return fail(openssl_error(
            Errc::Config, "key '" + identity.key_path + "' does not belong to '" + identity.certificate_path + "'"));
    constexpr unsigned char kSessionIdContext[] = "gk";
    SSL_CTX_set_session_id_context(context.get(), kSessionIdContext, sizeof kSessionIdContext - 1);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // tickets only: no memory a client
    SSL_CTX_set_tlsext_ticket_keys(context.get(), keys.data(), keys.size());
    SSL_CTX_set_num_tickets(context.get(), 1);
    return context;
}

int store_session(SSL* ssl, SSL_SESSION* session) {
    auto* connection = static_cast<Connection::Impl*>(SSL_get_ex_data(ssl, connection_index()));
    if (connection == nullptr || connection->client == nullptr) return 0;
    // A session keeps what was found of the certificate, and a resumed one shows none: a fault that is mended would
    // stay.
    if (SSL_get_verify_result(ssl) != X509_V_OK) return 0;
    auto& state = *connection->client;
    std::lock_guard lock(state.mutex);
    if (state.sessions.size() >= kMaxClientSessions && !state.sessions.contains(connection->session_key))
        state.sessions.erase(state.sessions.begin());
    state.sessions[connection->session_key] = SessionPtr(session);
    return 1;  // the reference is ours now
}

}  // namespace

Error openssl_error(Errc code, std::string_view what) {
    Error error{code, std::string(what), 0};
    const unsigned long number = ERR_peek_error();
    if (number != 0) {
        const char* reason = ERR_reason_error_string(number);
        if (ERR_SYSTEM_ERROR(number)) error = os_error(ERR_GET_REASON(number), what), error.code = code;
        else if (reason != nullptr) error.text += std::string(": ") + reason;
    }
    ERR_clear_error();
    return error;
}

int connection_index() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

struct ServerContext::Impl {
    std::mutex mutex;
    Options options;
    TicketKeys keys{};
    std::shared_ptr<State> state;

    Result<std::shared_ptr<State>> load(const Options& wanted) {
        if (wanted.identities.empty()) return fail(Errc::Config, "no certificate is configured");
        auto loaded = std::make_shared<State>();
        for (const auto& identity : wanted.identities) {
            GK_TRY(auto context, server_context(identity, keys));
            SSL_CTX_set_tlsext_servername_callback(context.get(), choose_identity);
            SSL_CTX_set_tlsext_servername_arg(context.get(), loaded.get());
            loaded->contexts.push_back(std::move(context));
        }
        return loaded;
    }
};

ServerContext::ServerContext() : impl_(std::make_unique<Impl>()) {
    const std::string random = random_bytes(kTicketKeysSize);
    std::copy(random.begin(), random.end(), impl_->keys.begin());
}

ServerContext::~ServerContext() = default;

Result<std::shared_ptr<ServerContext>> ServerContext::create(Options options) {
    std::shared_ptr<ServerContext> context(new ServerContext());
    GK_CHECK(context->reload(std::move(options)));
    return context;
}

Status ServerContext::reload() {
    Options options;
    {
        std::lock_guard lock(impl_->mutex);
        options = impl_->options;
    }
    return reload(std::move(options));
}

Status ServerContext::reload(Options options) {
    GK_TRY(auto loaded, impl_->load(options));
    std::lock_guard lock(impl_->mutex);
    impl_->state = std::move(loaded);
    impl_->options = std::move(options);
    return ok();
}

std::shared_ptr<ServerContext::State> ServerContext::state() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->state;
}

ClientContext::ClientContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
ClientContext::~ClientContext() = default;

Result<std::shared_ptr<ClientContext>> ClientContext::create(const Options& options) {
    auto state = std::make_unique<State>();
    state->verify = options.verify;
    state->context.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* context = state->context.get();
    if (context == nullptr) return fail(openssl_error(Errc::Bug, "cannot create a TLS context"));
    set_common_options(context);
    if (options.ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(context);
    } else if (SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) != 1) {
        return fail(openssl_error(Errc::Config, "cannot read certificates '" + options.ca_file + "'"));
    }
    if (SSL_CTX_dane_enable(context) != 1) return fail(openssl_error(Errc::Bug, "cannot set up DANE"));
    ERR_clear_error();
    // Without a trusted root the handshake goes on where any certificate will do; the result is kept either way.
    SSL_CTX_set_verify(context, options.verify == Verify::Name ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, store_session);
    return std::shared_ptr<ClientContext>(new ClientContext(std::move(state)));
}

}  // namespace gk::tls
