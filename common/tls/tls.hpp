// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/net/stream.hpp"

// TLS 1.2 and later, by OpenSSL 3, which stays behind this header. Making a context ignores SIGPIPE for the process.
namespace gk::tls {

using std::chrono::milliseconds;

// What a client's check of the certificate came to.
enum class Trust {
    Unchecked,    // nothing to check against: no name
    Ok,           // chain and name hold, or the TLSA records do
    Expired,      // or not valid yet
    WrongName,    // the chain holds, but names another host
    NotTrusted,   // no chain to a trusted root
    NoTlsaMatch,  // DANE: no record matches
    Failed,       // anything else
};

// A TLSA record (RFC 6698, 2.1); DATA is raw bytes.
struct Tlsa {
    std::uint8_t usage = 0, selector = 0, matching = 0;
    std::string data;
    bool operator==(const Tlsa&) const = default;
};

// Whom a client wants to speak with.
struct Peer {
    std::string server_name;         // for SNI, and for the certificate; empty for none
    std::vector<std::string> names;  // more names that the certificate may have instead
    // DANE (RFC 7671, 7672): these records decide in place of the trusted roots. Only usages 2 and 3 are looked at;
    // where not one of them can be used, connecting fails.
    std::vector<Tlsa> tlsa;

    Peer() = default;
    Peer(std::string name) : server_name(std::move(name)) {}
    Peer(const char* name) : server_name(name) {}
};

// What the handshake agreed on.
struct Info {
    std::string version;  // "TLSv1.3"
    std::string cipher;   // "TLS_AES_256_GCM_SHA384"
    int bits = 0;         // of the cipher's key
    std::string sni;      // the name the client asked for; empty for none
    bool resumed = false;
    bool verified = false;           // client side: chain and name, or the TLSA records, were checked and hold
    std::string verify_error;        // client side: why not
    Trust trust = Trust::Unchecked;  // client side: the same in one word
};

// Channel bindings of a finished handshake, raw bytes; empty where the connection has none.
struct ChannelBindings {
    std::string tls_exporter;          // RFC 9266; only where TLS 1.3, or 1.2 with extended master secret
    std::string tls_server_end_point;  // RFC 5929, 4.1
};

struct Identity {
    std::string certificate_path;  // PEM, leaf first, then the chain
    std::string key_path;          // PEM
};

// A server's certificates. Safe from any thread; connections keep the state they began with.
class ServerContext {
public:
    struct Options {
        // The first one answers clients without SNI or with an unknown name. Names are read from the certificates.
        std::vector<Identity> identities;
    };
    static Result<std::shared_ptr<ServerContext>> create(Options options);
    ~ServerContext();
    // Reads the same or new files again. On an error the old state stays; on success new handshakes use the new
    // one, and session tickets issued before still resume.
    Status reload();
    Status reload(Options options);

    struct State;
    std::shared_ptr<State> state() const;

private:
    ServerContext();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// A client's settings and its cache of sessions (by server name). Safe from any thread.
class ClientContext {
public:
    enum class Verify {
        Opportunistic,  // RFC 7435: any certificate will do; Info still says whether it would have verified
        Name,           // the chain must lead to a trusted root and name the server
    };
    struct Options {
        Verify verify = Verify::Opportunistic;
        std::string ca_file;  // PEM; empty for the system's
    };
    static Result<std::shared_ptr<ClientContext>> create(const Options& options);
    ~ClientContext();

    struct State;
    State& state() const noexcept { return *state_; }

private:
    explicit ClientContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// What a step of a non-blocking connection waits for. None: it made progress.
enum class Want { None, Read, Write, Closed };

// TLS over a non-blocking descriptor that the caller owns and keeps open longer than this. Level-triggered epoll
// needs care: bytes may wait inside, so read until Want::Read. One thread at a time.
class Connection {
public:
    static Result<Connection> accept(const ServerContext& context, int fd);
    static Result<Connection> connect(ClientContext& context, int fd, const Peer& peer);
    Connection(Connection&&) noexcept;
    Connection& operator=(Connection&&) noexcept;
    ~Connection();

    struct Io {
        std::size_t count = 0;
        Want want = Want::None;  // Closed: the peer said close_notify, or ended the connection
    };
    Result<Want> handshake();                  // until Want::None
    Result<Io> read(std::span<char> buffer);   // count > 0, or want says why not
    Result<Io> write(std::string_view bytes);  // may take a part; with want Read or Write repeat the same bytes
    void shutdown() noexcept;                  // sends close_notify if the socket takes it now
    bool has_pending() const noexcept;         // decrypted bytes wait

    Info info() const;
    ChannelBindings bindings() const;
    // Client side: the certificates that the server showed, DER, its own first; empty where the session was resumed.
    std::vector<std::string> peer_chain() const;

    struct Impl;

private:
    explicit Connection(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
    friend class Stream;
};

// TLS over a blocking socket, as a stream.
class Stream final : public net::Stream {
public:
    Stream(std::unique_ptr<net::SocketStream> socket, Connection connection);
    ~Stream() override;
    Result<std::size_t> read_some(std::span<char> buffer, milliseconds timeout) override;
    Status write_all(std::string_view bytes, milliseconds timeout) override;
    void stop_reading() noexcept override;
    void close() noexcept override;
    net::SocketStream& socket() noexcept { return *socket_; }
    const Info& info() const noexcept { return info_; }
    ChannelBindings bindings() const { return connection_.bindings(); }
    std::vector<std::string> peer_chain() const { return connection_.peer_chain(); }

private:
    std::unique_ptr<net::SocketStream> socket_;
    Connection connection_;
    Info info_;
};

// The handshake on a connected socket that is handed over; TIMEOUT holds for each wait in it.
// On failure the socket is closed.
Result<std::unique_ptr<Stream>> accept(std::unique_ptr<net::SocketStream> socket, const ServerContext& context,
                                       milliseconds timeout);
Result<std::unique_ptr<Stream>> connect(std::unique_ptr<net::SocketStream> socket, ClientContext& context,
                                        const Peer& peer, milliseconds timeout);

// Writes a self-signed P-256 certificate for HOSTNAME and the further NAMES (DNS names or IP literals), valid for
// ten years, and its key (mode 0600). Both files must not exist yet.
Status make_self_signed(const std::string& hostname, const std::vector<std::string>& names,
                        const std::string& certificate_path, const std::string& key_path);

}  // namespace gk::tls
