// SPDX-License-Identifier: MIT
#include "common/imap/prelogin.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/base/text.hpp"
#include "common/imap/capabilities.hpp"
#include "common/imap/grammar/parser.hpp"
#include "common/imap/grammar/scanner.hpp"

namespace gk::imap {

namespace {

// RFC 5530 names the reasons; what tells an attacker about an account stays AUTHENTICATIONFAILED.
std::string refusal(const auth::Reply& reply) {
    const bool fit = !reply.text.empty() && reply.text.size() <= 200 && text::is_ascii(reply.text) &&
                     reply.text.find_first_of("\r\n[]") == std::string::npos;
    auto say = [&](std::string_view start, std::string_view otherwise) {
        return fmt::format("{}{}", start, fit ? std::string_view(reply.text) : otherwise);
    };
    switch (reply.code) {
        case auth::FailCode::Temp: return say("NO [UNAVAILABLE] ", "try again later");
        case auth::FailCode::Disabled: return say("NO [CONTACTADMIN] ", "this account may not log in");
        case auth::FailCode::Expired: return say("NO [EXPIRED] ", "the password has expired");
        case auth::FailCode::Denied: return say("NO [AUTHORIZATIONFAILED] ", "not allowed");
        case auth::FailCode::Malformed: return say("BAD ", "the authentication exchange is malformed");
        case auth::FailCode::Auth:
        case auth::FailCode::Locked:
        case auth::FailCode::Limit: break;  // the last is of submission alone
    }
    return say("NO [AUTHENTICATIONFAILED] ", "authentication failed");
}

// RFC 2971, 3.1: NIL or a list of field and value; what clients say of themselves is not used before login.
bool is_id_arguments(Scanner& in) {
    in.space();
    if (in.accept_word("NIL")) {
        in.expect_end();
        return !in.failed();
    }
    in.expect('(');
    for (int fields = 0; !in.failed() && !in.next_is(')'); ++fields) {
        if (fields > 0) in.space();
        if (fields >= 30) return false;
        in.string();
        in.space();
        in.nstring();
    }
    in.expect(')');
    in.expect_end();
    return !in.failed();
}

bool is_command_of_a_session(std::string_view verb) {
    static constexpr std::string_view kVerbs[] = {
        "APPEND",         "CHECK",       "CLOSE",       "COMPRESS", "COPY",   "CREATE",  "DELETE",    "ENABLE",
        "EXAMINE",        "EXPUNGE",     "FETCH",       "IDLE",     "LIST",   "LSUB",    "MOVE",      "NAMESPACE",
        "RENAME",         "REPLACE",     "SEARCH",      "SELECT",   "STATUS", "STORE",   "SUBSCRIBE", "UID",
        "UNAUTHENTICATE", "UNSELECT",    "UNSUBSCRIBE", "THREAD",   "SORT",   "ESEARCH", "GETQUOTA",  "GETQUOTAROOT",
        "SETQUOTA",       "GETMETADATA", "SETMETADATA", "NOTIFY"};
    return std::find(std::begin(kVerbs), std::end(kVerbs), verb) != std::end(kVerbs);
}

}  // namespace

PreLogin::PreLogin(PreLoginOptions options) : options_(std::move(options)) {}

bool PreLogin::offers(std::string_view mechanism) const {
    return std::find(options_.mechanisms.begin(), options_.mechanisms.end(), mechanism) != options_.mechanisms.end();
}

std::string PreLogin::capabilities() const {
    std::string list = imap::capabilities(options_.max_message);
    if (!options_.tls && options_.starttls) list += " STARTTLS";
    if (!offers("PLAIN")) list += " LOGINDISABLED";  // RFC 3501, 6.2.3
    for (const auto& mechanism : options_.mechanisms) list += " AUTH=" + mechanism;
    return list;
}

std::string PreLogin::greeting() const {
    return fmt::format("* OK [CAPABILITY {}] {} ready\r\n", capabilities(), options_.hostname);
}

std::string PreLogin::bye(std::string_view text) const { return closed() ? "" : fmt::format("* BYE {}\r\n", text); }

void PreLogin::end(std::string_view text, Step& step) {
    step.output += fmt::format("* BYE {}\r\n", text);
    if (exchange_open_) step.effects.emplace_back(CancelExchange{});
    step.effects.emplace_back(EndConnection{});
    state_ = State::Closed;
    buffer_.clear();
}

PreLogin::Step PreLogin::feed(std::string_view bytes) {
    Step step;
    if (state_ == State::Closed) return step;
    buffer_ += bytes;
    run(step);
    return step;
}

void PreLogin::run(Step& step) {
    std::string line;
    while ((state_ == State::Command || state_ == State::Response) && take_line(line, step)) {
        if (state_ == State::Response) on_response(line, step);
        else on_command(line, step);
    }
}

// A whole command, literals in place, or one SASL response; without its line end. openssl s_client without -crlf
// ends lines with LF alone, which is taken as well: nothing is ever passed on, so nothing can be smuggled.
bool PreLogin::take_line(std::string& line, Step& step) {
    for (;;) {
        if (buffer_.size() < literal_until_) return false;
        const std::size_t from = std::max(scanned_, literal_until_);
        const std::size_t at = buffer_.find('\n', from);
        if ((at == std::string::npos ? buffer_.size() : at) - literal_until_ > options_.max_line) {
            end("the line is too long", step);
            return false;
        }
        if (at == std::string::npos) {
            scanned_ = buffer_.size();
            return false;
        }
        std::size_t length = at;
        if (length > literal_until_ && buffer_[length - 1] == '\r') --length;
        const auto last_line = std::string_view(buffer_).substr(literal_until_, length - literal_until_);
        const auto mark = state_ == State::Command ? literal_mark(last_line) : std::nullopt;
        if (!mark) {
            line = buffer_.substr(0, length);
            buffer_.erase(0, at + 1);
            scanned_ = literal_until_ = 0;
            return true;
        }
        if (mark->size > options_.max_literal || at + 1 + mark->size > options_.max_command) {
            if (!mark->sync) {  // its bytes are on the way already (RFC 7888, 4)
                end("[TOOBIG] the literal is too large", step);
                return false;
            }
            step.output += fmt::format("{} BAD [TOOBIG] the literal is too large\r\n",
                                       tag_of(buffer_).empty() ? "*" : tag_of(buffer_));
            buffer_.erase(0, at + 1);
            scanned_ = literal_until_ = 0;
            if (++commands_ > options_.max_commands) {
                end("too many commands", step);
                return false;
            }
            continue;
        }
        if (mark->sync) step.output += "+ go ahead\r\n";
        if (length == at) {  // the scanner wants CRLF before a literal
            buffer_.insert(at, "\r");
            literal_until_ = at + 2 + static_cast<std::size_t>(mark->size);
        } else {
            literal_until_ = at + 1 + static_cast<std::size_t>(mark->size);
        }
        scanned_ = literal_until_;
    }
}

void PreLogin::on_command(std::string_view line, Step& step) {
    if (++commands_ > options_.max_commands) return end("too many commands", step);
    Scanner in(line);
    const std::string tag = in.tag();
    if (in.failed()) {
        step.output += fmt::format("* BAD {}\r\n", in.error());
        return;
    }
    in.space();
    const std::string verb = in.word();
    auto reply = [&](std::string_view text) { step.output += fmt::format("{} {}\r\n", tag, text); };
    if (in.failed()) return reply("BAD " + in.error());
    const bool bare = in.at_end();
    const std::string_view arguments = line.substr(in.position());

    if (verb == "LOGIN") return on_login(tag, arguments, step);
    if (verb == "AUTHENTICATE") return on_authenticate(tag, arguments, step);
    if (verb == "ID") {
        if (!is_id_arguments(in)) return reply("BAD ID wants NIL or a list of fields and values");
        step.output += "* ID (\"name\" \"gk\")\r\n";
        return reply("OK ID completed");
    }
    if (is_command_of_a_session(verb)) return reply(fmt::format("BAD {} is not allowed before login", verb));
    if (verb != "CAPABILITY" && verb != "NOOP" && verb != "LOGOUT" && verb != "STARTTLS")
        return reply("BAD unknown command");
    if (!bare) return reply(fmt::format("BAD {} takes no arguments", verb));

    if (verb == "CAPABILITY") {
        step.output += fmt::format("* CAPABILITY {}\r\n", capabilities());
        reply("OK CAPABILITY completed");
    } else if (verb == "NOOP") {
        reply("OK NOOP completed");
    } else if (verb == "LOGOUT") {
        step.output += "* BYE logging out\r\n";
        reply("OK LOGOUT completed");
        step.effects.emplace_back(EndConnection{});
        state_ = State::Closed;
        buffer_.clear();
    } else if (options_.tls) {
        reply("BAD TLS is active already");
    } else if (!options_.starttls) {
        reply("BAD STARTTLS is not offered");
    } else {
        // What follows in the clear may be an attacker's (RFC 3501, 11.1; CVE-2011-0411 and its kin).
        discarded_ += buffer_.size();
        buffer_.clear();
        reply("OK begin TLS now");
        suspend(StartTls{}, step);
    }
}

PreLogin::Step PreLogin::tls_started(std::vector<std::string> mechanisms) {
    Step step;
    options_.tls = true;
    options_.mechanisms = std::move(mechanisms);
    discarded_ += buffer_.size();
    buffer_.clear();
    scanned_ = literal_until_ = 0;
    state_ = State::Command;
    return step;
}

void PreLogin::suspend(auth::LoginEffect effect, Step& step) {
    step.effects.push_back(std::move(effect));
    state_ = State::Suspended;
}

// login = "LOGIN" SP userid SP password, both astring (RFC 3501, 9).
void PreLogin::on_login(const std::string& tag, std::string_view arguments, Step& step) {
    tag_ = tag;
    if (!offers("PLAIN")) {
        step.output += fmt::format("{} NO [PRIVACYREQUIRED] LOGIN needs TLS first\r\n", tag);
        return;
    }
    Scanner in(arguments);
    in.space();
    const std::string user = in.astring();
    in.space();
    const std::string password = in.astring();
    in.expect_end();
    if (in.failed()) {
        // The scanner's text may quote a piece of the password.
        step.output += fmt::format("{} BAD LOGIN wants a user name and a password\r\n", tag);
        return;
    }
    mechanism_ = "PLAIN";
    begin("PLAIN", std::string(1, '\0') + user + std::string(1, '\0') + password, step);
}

void PreLogin::begin(std::string mechanism, std::string initial_response, Step& step) {
    auth::Begin begin;
    begin.service = "imap";
    begin.mechanism = std::move(mechanism);
    begin.tls = options_.tls;
    begin.initial_response = std::move(initial_response);
    exchange_open_ = true;
    suspend(std::move(begin), step);
}

PreLogin::Step PreLogin::session_refused(auth::FailCode code, std::string_view text) {
    Step step;
    auth::Reply reply;
    reply.code = code;
    reply.text = text;
    step.output += fmt::format("{} {}\r\n", tag_, refusal(reply));
    state_ = State::Command;
    run(step);
    return step;
}

void PreLogin::hand_over(Step& step) { suspend(HandOver{tag_, user_, ticket_}, step); }

PreLogin::Step PreLogin::authenticated(const auth::Reply& reply) {
    Step step;
    if (state_ != State::Suspended) return step;
    switch (reply.kind) {
        case auth::Reply::Kind::Continue: ask(reply.bytes.value_or(""), Waiting::Response, step); break;
        case auth::Reply::Kind::Ok:
            exchange_open_ = false;
            user_ = reply.user;
            ticket_ = reply.ticket;
            // SASL in IMAP has no field for data with success: it travels as one more challenge (RFC 4422, 3.6).
            if (reply.bytes) ask(*reply.bytes, Waiting::FinalAck, step);
            else hand_over(step);
            break;
        case auth::Reply::Kind::Fail:
            exchange_open_ = false;
            step.output += fmt::format("{} {}\r\n", tag_, refusal(reply));
            state_ = State::Command;
            if (reply.code != auth::FailCode::Temp && ++failures_ >= options_.max_failures)
                end("too many failed logins", step);
            break;
    }
    run(step);
    return step;
}

}  // namespace gk::imap
