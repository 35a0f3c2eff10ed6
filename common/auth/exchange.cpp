// SPDX-License-Identifier: MIT
#include "common/auth/authenticator.hpp"
#include "common/base/ids.hpp"
#include "common/base/text.hpp"

namespace gk::auth {

Exchange::Exchange(Authenticator& authenticator, Begin begin)
    : authenticator_(authenticator), begin_(std::move(begin)) {}

namespace {

Outcome challenge(std::string bytes) {
    Outcome outcome;
    outcome.reply.kind = Reply::Kind::Continue;
    outcome.reply.bytes = std::move(bytes);
    return outcome;
}

}  // namespace

Outcome Exchange::malformed(std::string text) const {
    Outcome outcome;
    outcome.reply.code = FailCode::Malformed;
    outcome.reply.text = std::move(text);
    outcome.login = login_;
    return outcome;
}

Outcome Exchange::start() {
    const std::string& mechanism = begin_.mechanism;
    const bool plus = mechanism == "SCRAM-SHA-256-PLUS";
    if (plus || mechanism == "SCRAM-SHA-256") {
        const ChannelBinding binding{begin_.cb_tls_exporter, begin_.cb_tls_server_end_point};
        scram_ = std::make_unique<ScramServer>(plus, begin_.tls && binding.any(), binding);
    } else if (mechanism != "PLAIN" && mechanism != "LOGIN") {
        return malformed(fmt::format("mechanism '{}' is not known", text::printable(mechanism, 40)));
    }
    if (begin_.initial_response) return respond(*begin_.initial_response);
    return challenge(mechanism == "LOGIN" ? "Username:" : "");
}

Outcome Exchange::respond(std::string_view bytes) {
    if (scram_) return scram(bytes);
    return begin_.mechanism == "LOGIN" ? login(bytes) : plain(bytes);
}

// message = [authzid] UTF8NUL authcid UTF8NUL passwd   (RFC 4616, 2)
Outcome Exchange::plain(std::string_view response) {
    if (step_++ > 0) return malformed("PLAIN has one message");
    const auto parts = text::split(response, '\0');
    if (parts.size() != 3 || parts[1].empty() || parts[2].empty()) return malformed("malformed PLAIN message");
    login_ = std::string(parts[1]);
    if (!parts[0].empty() && !text::equals_nocase(parts[0], parts[1]))
        return authenticator_.refuse(begin_, text::lower(parts[1]), FailCode::Auth,
                                     "acting for another user is not permitted");
    return authenticator_.password(begin_, parts[1], parts[2]);
}

Outcome Exchange::login(std::string_view response) {
    if (step_++ == 0) {
        if (response.empty() || response.size() > 512) return malformed("malformed LOGIN user name");
        login_ = std::string(response);
        return challenge("Password:");
    }
    if (step_ > 2) return malformed("LOGIN has two messages");
    return authenticator_.password(begin_, login_, response);
}

Outcome Exchange::scram(std::string_view message) {
    if (step_++ == 0) {
        const auto user = scram_->client_first(message);
        if (!user) {
            if (user.error().code == Errc::BadInput) return malformed(user.error().text);
            return authenticator_.refuse(begin_, "", FailCode::Auth, user.error().text);
        }
        login_ = *user;
        auto subject = authenticator_.look_up(*user);
        if (!subject) return authenticator_.trouble(subject.error(), *user);
        subject_ = std::move(*subject);
        if (authenticator_.locked(subject_, begin_.ip))
            return authenticator_.refuse(begin_, subject_.key, FailCode::Locked, "too many failures, try later",
                                         "locked");
        return challenge(scram_->server_first(subject_.credentials.salt, subject_.credentials.iterations));
    }
    if (step_ > 2) return malformed("SCRAM has two messages");

    // For want of any key a made-up one is tried, so that unknown names take the same way.
    std::vector<ScramKeys> candidates;
    std::vector<int> which;
    if (subject_.credentials.main == Credentials::Main::Scram) {
        candidates.push_back(subject_.credentials.main_keys);
        which.push_back(-1);
    }
    for (std::size_t i = 0; i < subject_.credentials.app_passwords.size(); ++i) {
        candidates.push_back(subject_.credentials.app_passwords[i].keys);
        which.push_back(static_cast<int>(i));
    }
    if (candidates.empty() || !subject_.account) {
        candidates = {{random_bytes(32), random_bytes(32)}};
        which = {-1};
    }
    const auto verdict = scram_->client_final(message, candidates);
    if (!verdict) {
        if (verdict.error().code == Errc::BadInput) return malformed(verdict.error().text);
        const bool wrong_password = verdict.error().text == "wrong password";
        return authenticator_.refuse(begin_, subject_.key, FailCode::Auth,
                                     wrong_password ? "wrong user name or password" : verdict.error().text);
    }
    if (!subject_.account)
        return authenticator_.refuse(begin_, subject_.key, FailCode::Auth, "wrong user name or password");
    Outcome outcome = authenticator_.accept(begin_, subject_, which[verdict->which], "");
    if (outcome.reply.kind == Reply::Kind::Ok) outcome.reply.bytes = verdict->server_final;
    return outcome;
}

}  // namespace gk::auth
