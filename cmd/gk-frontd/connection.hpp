// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cmd/gk-frontd/front.hpp"
#include "common/auth/login_dialogue.hpp"
#include "common/imap/control.hpp"
#include "common/net/stream.hpp"
#include "common/os/fd.hpp"
#include "common/tls/tls.hpp"

namespace gk::front {

// One client: handshake, before login, waiting for gk-authd, waiting for a session, carrying bytes, asleep, closing.
// Never blocks. Holds buffers only while bytes wait in them.
class Connection {
public:
    Connection(Front& front, std::uint32_t slot, os::Fd client, net::Endpoint peer, Protocol protocol, bool tls_first);
    ~Connection();

    void start();  // greeting or handshake
    void on_event(Side side, std::uint32_t events);
    void on_deadline();
    void start_exchange();                    // a place with gk-authd is free now
    void lose_exchange() { end_exchange(); }  // while the client thinks; it hears of it with its next word
    void drain();                             // the server stops
    // What gk-imapd says of its session (see common/imap/control.hpp), and that it says no more.
    void on_control(const imap::Control& control);
    void lose_imapd();

private:
    enum class State { Handshake, Talk, Authenticating, Opening, Carry, Asleep, Waking, Closing };
    struct Login;  // what is needed until the session begins

    // connection.cpp
    void finish(std::string_view why);
    void close_gently();
    void linger();
    void log_end_of_session();
    std::string event(std::string_view what) const;  // "imap.WHAT", "sieve.WHAT"
    void watch_client();
    void watch_session();
    Result<tls::Connection::Io> read_client();  // into the scratch buffer
    bool flush_client();                        // false: the connection is over
    bool write_client(std::string_view bytes);
    // login.cpp
    void begin_tls();
    void handshake();
    void after_handshake();
    void talk();
    void perform(auth::LoginStep step);
    void on_auth(std::uint32_t events);
    void auth_line(std::string_view line);
    void auth_failed(std::string_view why);
    bool send_auth(const auth::Request& request);
    void end_exchange();
    void open_session(const auth::HandOver& over);
    void log_in_again(std::string_view first_bytes);
    void on_opening(std::uint32_t events);
    void refuse_session(auth::FailCode code, std::string_view why);
    // carry.cpp
    void begin_carry(std::string_view first_bytes);
    void carry(const std::string& from_session, const std::string& from_client);
    void on_carry_client(std::uint32_t events);
    void on_carry_session(std::uint32_t events);
    bool write_session(std::string_view bytes);
    bool carry_from_client();
    bool carry_from_session(bool sees_end);
    void check_end();
    bool gave_up_account() const;
    // sleep.cpp
    bool nothing_on_the_way(const imap::Control& control) const;
    void release(const imap::Control& control);
    void fall_asleep(const imap::Control& control);
    void on_asleep_client(std::uint32_t events);
    void wake(std::string_view first_bytes);
    void on_waking(std::uint32_t events);
    void end_asleep(std::string_view bye);
    bool between_sessions() const noexcept { return state_ == State::Asleep || state_ == State::Waking; }

    Front& front_;
    const std::uint32_t slot_;
    const Protocol protocol_;
    State state_ = State::Talk;
    os::Fd client_, session_;
    std::uint32_t client_watched_ = 0, session_watched_ = 0;
    std::optional<tls::Connection> tls_;
    bool tls_wants_write_ = false, tls_write_wants_read_ = false;
    bool client_ended_ = false, session_ended_ = false, carried_ = false, over_ = false;
    char last_byte_ = '\n';
    std::unique_ptr<Login> login_;
    std::string to_client_, to_session_;
    std::uint64_t bytes_in_ = 0, bytes_out_ = 0;
    Milliseconds began_ = 0;
    std::uint64_t stream_in_ = 0, stream_out_ = 0;  // to and from the session's present process
    std::unique_ptr<imap::Control> released_;       // came before the last of the session's words
    std::string token_;                             // of the sleeping session
    Milliseconds silent_until_ = 0;                 // while asleep
    std::string id_, account_;
    net::Endpoint peer_;
};

}  // namespace gk::front
