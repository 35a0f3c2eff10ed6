// SPDX-License-Identifier: MIT
#pragma once

#include "cmd/gk-frontd/connection.hpp"

namespace gk::front {

// A connection's luggage until somebody is logged in.
struct Connection::Login {
    void open(const Front& front, Protocol protocol, bool tls, bool has_bindings);
    std::unique_ptr<auth::LoginDialogue> dialogue;
    std::optional<auth::HandOver> over;
    os::Fd auth;
    std::uint32_t auth_watched = 0;
    bool waiting = false, has_place = false;
    std::optional<auth::Begin> begin;  // until it is sent
    std::string auth_in, session_in;   // part of a line
};

}  // namespace gk::front
