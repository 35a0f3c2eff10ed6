// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/smtp/relay_domains.hpp"
#include "common/smtp/reply.hpp"
#include "common/smtp/session.hpp"

// What is decided about a client, as pure functions of what is known: facts in, verdict out. Who gathers the facts
// (the host; later DNS) is no business of these.
namespace gk::smtp {

struct RecipientFacts {
    bool authenticated = false;                                   // by SMTP AUTH, or by the kernel
    bool may_relay = false;                                       // the client is in smtp.relay_networks
    Reply delivery;                                               // what gk-deliver says to the recipient
    RelayDomains::Answer backup = RelayDomains::Answer::NotOurs;  // what smtp.relay_domains says to the recipient
    bool local = false;  // by the kernel: a program of this machine, which may not try again
};

struct RecipientVerdict {
    enum class Route { Local, Remote, Refused } route = Route::Refused;
    Reply reply;
};

// gk-deliver says 551 to a domain that is not ours; only clients that may relay, and recipients that
// this host is a backup MX for, get further.
RecipientVerdict judge_recipient(const RecipientFacts& facts);

}  // namespace gk::smtp
