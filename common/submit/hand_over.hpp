// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/config/config.hpp"

namespace gk::submit {

// Why nothing was sent: a code of sysexits(3), and what to say.
struct Failure {
    int code;
    std::string text;
};
template <class T>
using Outcome = tl::expected<T, Failure>;
Failure failure_of(const Error& error);

struct Envelope {
    std::string reverse_path;
    std::vector<std::string> recipients;
    std::string notify, ret, envid;  // as in SMTP; ENVID not yet xtext
    bool eight_bit = false;
    std::optional<TimePoint> hold_until;
};

// Calls SINK with the message's pieces, in order; each call of it from the begin.
using Source = std::function<Status(const std::function<Status(std::string_view)>& sink)>;

// Gives the message to gk-smtpd by its socket run/submit.sock: all of the recipients or none. Where no gk-smtpd runs,
// into the spool, if the caller has the rights. Durable when it returns the queue id.
Outcome<std::string> hand_over(const config::Paths& paths, const std::string& hostname, const Envelope& envelope,
                               std::uint64_t size, const Source& source);

// The dialogue itself, between descriptors and that socket (sendmail -bs), to its end.
Outcome<int> relay_dialogue(const config::Paths& paths, int in, int out);

std::string to_xtext(std::string_view s);  // RFC 3461, 4

}  // namespace gk::submit
