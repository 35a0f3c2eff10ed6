// SPDX-License-Identifier: MIT
#include "common/smtp/connection.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <cerrno>

#include "common/address/list.hpp"
#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/smtp/received.hpp"

namespace gk::smtp {
namespace {

// Most connections are idle at any time, and many messages are small.
constexpr std::size_t kBuffer = 4 * 1024, kContentBuffer = 16 * 1024, kLargeContentBuffer = 64 * 1024;
constexpr milliseconds kHandshakeTimeout{30'000};
constexpr milliseconds kLinger{3000};
constexpr std::size_t kMostSenders = 100;  // addresses of one From, and of one account that are remembered
constexpr std::uint64_t kLingerBytes = 64u << 20;
constexpr std::chrono::seconds kRateGrace{60};  // before smtp.min_rate is looked at

}  // namespace

Connection::Connection(Host& host, std::shared_ptr<const HostSettings> settings, Service service,
                       net::Accepted accepted)
    : host_(host),
      settings_(std::move(settings)),
      service_(service),
      peer_(std::move(accepted.peer)),
      seat_(accepted.seat),
      stream_(std::move(accepted.stream)),
      transaction_({host.lmtp_, host.memory_, settings_->memory_per_message, host.spool_}),
      buffer_(kBuffer) {
    socket_ = static_cast<net::SocketStream*>(stream_.get());
}

milliseconds Connection::timeout() const {
    if (session_ && session_->in_content()) return settings_->data_timeout;
    if (host_.server_ != nullptr && host_.server_->under_pressure())
        return std::min(settings_->pressure_timeout, settings_->command_timeout);
    return settings_->command_timeout;
}

std::optional<TlsFacts> Connection::start_tls() {
    if (!host_.tls_) return std::nullopt;
    std::unique_ptr<net::SocketStream> socket(static_cast<net::SocketStream*>(stream_.release()));
    auto started = tls::accept(std::move(socket), *host_.tls_, kHandshakeTimeout);
    if (!started) {
        ended_ = started.error().text;
        socket_ = nullptr;
        return std::nullopt;
    }
    tls_ = started->get();
    socket_ = &tls_->socket();
    stream_ = std::move(*started);
    const auto& info = tls_->info();
    const auto bindings = tls_->bindings();
    return TlsFacts{info.version, info.cipher, info.sni,
                    !bindings.tls_exporter.empty() || !bindings.tls_server_end_point.empty()};
}

void Connection::run() {
    if (service_ == Service::Submissions) {
        auto facts = start_tls();
        if (!facts) return log_connection();
        session_.emplace(settings_->of(service_), std::move(facts));
    } else {
        session_.emplace(settings_->of(service_));
        if (service_ == Service::Local && !ask_kernel()) return log_connection();
    }
    watch_for_pregreet();
    last_progress_ = Clock::now();
    while (flush() && !session_->closed() && read()) {
        while (auto effect = session_->next()) {
            perform(*effect);
            if (!ended_.empty()) break;
        }
        if (!ended_.empty()) break;
    }
    leave();
    log_connection();
}

// Who is at the other end of the UNIX socket. The kernel's word is all the login there is.
bool Connection::ask_kernel() {
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(socket_->fd(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
        ended_ = os_error(errno, "cannot ask who the client is").text;
        return false;
    }
    uid_ = peer.uid;
    session_->trust("uid " + std::to_string(uid_));
    return true;
}

bool Connection::flush() {
    if (!session_->has_output()) return true;
    last_progress_ = Clock::now();
    if (auto written = stream_->write_all(session_->take_output(), settings_->command_timeout); !written) {
        ended_ = written.error().text;
        return false;
    }
    return true;
}

bool Connection::too_slow() const {
    const auto now = Clock::now();
    if (!session_->in_content()) return now - last_progress_ > timeout();  // a command that comes byte by byte
    const auto taken = now - content_began_;
    if (taken > settings_->data_deadline) return true;
    if (taken < kRateGrace) return false;
    return session_->content_size() <
           settings_->min_rate *
               static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(taken).count());
}

bool Connection::read() {
    const bool content = session_->in_content();
    // From the first chunk on: a client that pauses between the chunks of BDAT is as slow as one that pauses in DATA.
    if (content && content_began_ == Clock::time_point{}) content_began_ = Clock::now();
    // A message under way is finished when we stop, or need the place; a client that thinks is sent away.
    const bool may_leave = !content && transaction_.recipients() == 0;
    socket_->set_cancel(may_leave ? &seat_->leave : nullptr);
    const std::size_t wanted = !content                               ? kBuffer
                               : transaction_.size() > kContentBuffer ? kLargeContentBuffer
                                                                      : kContentBuffer;
    if (buffer_.size() < wanted) buffer_.resize(wanted);
    else if (buffer_.size() > wanted && wanted == kBuffer) std::vector<char>(kBuffer).swap(buffer_);
    const auto send_away = [this] {
        session_->say_goodbye({421, "4.3.2",
                               session_->settings().hostname +
                                   (host_.server_->stopping() ? " shutting down" : " too busy for idle clients")});
        (void)flush();
        return false;
    };
    if (socket_->cancelled()) return send_away();
    const auto count = stream_->read_some(buffer_, timeout());
    if (!count || *count == 0) {
        ended_ = count ? "the client ended the connection" : count.error().text;
        if (!count && socket_->cancelled()) return send_away();
        if (!count && count.error().code == Errc::Timeout) {
            session_->say_goodbye({421, "4.4.2", session_->settings().hostname + " timeout"});
            (void)flush();
        }
        return false;
    }
    seat_->touch();
    if (too_slow()) {
        ended_ = "the client is too slow";
        session_->say_goodbye({421, "4.4.2", session_->settings().hostname + " too slow"});
        (void)flush();
        return false;
    }
    session_->feed({buffer_.data(), *count});
    return true;
}

void Connection::perform(Effect& effect) {
    std::visit([this](const auto& e) { on(e); }, effect);
}

void Connection::on(const StartHandshake&) {
    if (!flush()) return;
    auto facts = start_tls();
    allowed_senders_.clear();  // RFC 3207, 4.2: who it was before is forgotten
    if (facts) session_->tls_started(std::move(*facts));
}

// What gk-authd allowed is remembered for the connection, so that a mailing costs one question.
Status Connection::may_send_as(const std::string& address) {
    if (service_ == Service::Local) return settings_->local_senders.may_send_as(uid_, address);
    if (allowed_senders_.contains(address)) return ok();
    GK_CHECK(host_.auth_.take()->may_send_as(session_->account(), address));
    if (allowed_senders_.size() >= kMostSenders) allowed_senders_.clear();
    allowed_senders_.insert(address);
    return ok();
}

// RFC 6409, 6.1 lets a submission server enforce it: who is read as the author must be an address of the account.
// Every From field counts, since readers differ in which of several they show.
std::optional<Reply> Connection::refuse_from() {
    if (!settings_->check_from || session_->account().empty()) return std::nullopt;
    const HeaderWatch& header = session_->header();
    std::size_t authors = 0;
    for (const std::string& field : header.from()) {
        const auto addresses = address::addresses_of(field);
        if (addresses.empty()) return Reply{550, "5.6.0", "From names no address"};
        for (const std::string& author : addresses) {
            if (++authors > kMostSenders) return Reply{550, "5.6.0", "From names too many addresses"};
            const auto allowed = may_send_as(author);
            if (!allowed && allowed.error().code == Errc::Denied)
                return Reply{550, "5.7.1",
                             "you may not write as " + text::printable(author, 200) + ", which From names"};
            if (!allowed) {
                log_trouble("auth.unreachable", allowed.error().text);
                return Reply{451, "4.3.0", "cannot check From now"};
            }
        }
    }
    if (header.from_is_too_long()) return Reply{550, "5.6.0", "From is too long"};
    return std::nullopt;
}

std::optional<Reply> Connection::refuse_flood(std::uint64_t messages, std::uint64_t recipients) {
    // A user of this machine is no account of the directory.
    const bool is_counted = !session_->account().empty() && service_ != Service::Local;
    if (!settings_->count_submissions || !is_counted) return std::nullopt;
    const auto counted = host_.auth_.take()->count(session_->account(), messages, recipients);
    if (counted) return std::nullopt;
    if (counted.error().code != Errc::Denied) {
        log_trouble("auth.unreachable", counted.error().text);
        return Reply{451, "4.3.0", "cannot count what you send now"};
    }
    log::Event("submission.limited", log::Level::Warning)
        .field("peer", peer_.ip)
        .field("actor", session_->account())
        .field("reason", counted.error().text);
    return Reply{450, "4.7.1", counted.error().text};
}

void Connection::on(const CheckSender&) {
    const Mail& mail = session_->asked_mail();
    content_began_ = {};
    if (!session_->account().empty() && !mail.path.is_null()) {
        const std::string address = mail.path.to_string();
        const auto allowed = may_send_as(address);
        if (!allowed && allowed.error().code == Errc::Denied)
            return session_->answer({553, "5.7.1", "you may not send as " + address});
        if (!allowed) {
            log_trouble("auth.unreachable", allowed.error().text);
            return session_->answer({451, "4.3.0", "cannot check the sender now"});
        }
    }
    if (const auto refusal = refuse_flood(1, 0)) return session_->answer(*refusal);
    transaction_.begin(mail, new_id());
    message_began_ = Clock::now();
    session_->answer({250, "2.1.0", "ok"});
}

void Connection::on(const CheckRecipient& check) {
    if (const auto refusal = refuse_flood(0, 1)) return session_->answer(*refusal);
    if (const auto refusal = judge(check.rcpt.path)) return session_->answer(*refusal);
    RecipientFacts facts;
    facts.authenticated = !session_->account().empty();
    facts.local = service_ == Service::Local;
    facts.may_relay = service_ == Service::Mx && settings_->relay_networks.contains(peer_.ip);
    if (service_ == Service::Mx) facts.backup = settings_->relay_domains.find(check.rcpt.path);
    const Reply reply = transaction_.recipient(check.rcpt, std::move(facts));
    if (reply.transient() && !transaction_.trouble().empty())
        log_trouble("delivery.unreachable", transaction_.trouble());
    session_->answer(reply);
}

// Whose mail is checked: clients on port 25 that we do not know better. Our own programs, and those who may relay, are
// answered for by whoever runs them.
bool Connection::comes_from_outside() const { return settings_->gate->active() && is_stranger(); }

bool Connection::is_stranger() const {
    if (service_ != Service::Mx || peer_.ip.empty()) return false;
    if (peer_.is_loopback()) return settings_->gate->check_loopback;
    return !settings_->relay_networks.contains(peer_.ip);
}

// RFC 5321, 3.1: the server speaks first. Who cannot wait for that is no mail server.
void Connection::watch_for_pregreet() {
    const auto& options = *settings_->policy;
    if (options.pregreet_wait_ms == 0 || options.mode == policy::Options::Mode::Off || !is_stranger()) return;
    pollfd waiting{socket_->fd(), POLLIN, 0};
    char byte = 0;
    pregreet_ = ::poll(&waiting, 1, static_cast<int>(options.pregreet_wait_ms)) > 0 &&
                ::recv(socket_->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

std::optional<Reply> Connection::judge(const Path& recipient) {
    const auto& options = *settings_->policy;
    if (options.mode == policy::Options::Mode::Off || !is_stranger()) return std::nullopt;
    if (!client_verdicts_) {
        client_verdicts_.emplace();
        if (!dns_) dns_ = host_.dns();
        if (dns_ && options.wants_dns()) *client_verdicts_ = policy::ask_dns(options, peer_.ip, *(*dns_)());
    }
    std::string trouble;
    const auto lists = host_.gate_lists_.read(&trouble);
    if (!trouble.empty()) log_trouble("gate.lists_malformed", trouble);
    const policy::Facts facts{peer_.ip,
                              session_->helo(),
                              session_->mail().path.to_string(),
                              recipient.to_string(),
                              pregreet_,
                              session_->total_errors(),
                              to_unix_s(now())};
    const auto decision =
        policy::judge(options, *lists, *host_.gate_state_, host_.gate_rates_, facts, *client_verdicts_);
    const bool refused = decision.action != policy::Decision::Action::Accept;
    const bool enforced = options.mode == policy::Options::Mode::Enforce;
    log::Event("gate.judged", refused ? log::Level::Info : log::Level::Debug)
        .field("id", transaction_.id())
        .field("peer", peer_.ip)
        .field("helo", facts.helo)
        .field("from", facts.sender)
        .field("to", facts.recipient)
        .field("score", decision.score)
        .field("outcome", enforced || !refused ? policy::action_name(decision.action) : "observed")
        .field("reason", decision.reasons());
    if (!refused || !enforced) return std::nullopt;
    // A trap's answer is, to the letter, that for an address which does not exist.
    if (decision.enhanced == "5.1.1") return Reply{decision.code, decision.enhanced, decision.reply};
    return Reply{decision.code, decision.enhanced, text::ascii_only(decision.reply) + " (" + transaction_.id() + ")"};
}

void Connection::begin_content() {
    // Whoever the client is: nobody writes what we say about messages.
    filter_.emplace(settings_->gate->own_ids(), mailauth::gate::own_fields());
    if (!inbound_ && comes_from_outside()) {
        if (!dns_) dns_ = host_.dns();
        if (dns_)
            inbound_.emplace(
                Inbound::Places{*settings_->gate, *dns_, session_->settings().hostname, settings_->reports}, peer_.ip);
    }
    if (inbound_) inbound_->begin(session_->helo(), session_->mail().path.to_string());
}

void Connection::on(const ContentBytes& content) {
    if (!filter_) begin_content();
    if (inbound_) inbound_->feed(content.bytes);
    filter_->feed(content.bytes, [this](std::string_view bytes) { transaction_.write(bytes); });
}

void Connection::end_transaction() noexcept {
    filter_.reset();
    if (inbound_) inbound_->reset();
    transaction_.reset();
}

void Connection::on(const EndContent&) {
    const TimePoint when = now();
    if (!filter_) begin_content();
    filter_->finish([this](std::string_view bytes) { transaction_.write(bytes); });
    auto refusal = refuse_from();
    std::string prefix;
    if (!refusal && inbound_) {
        auto outcome =
            inbound_->finish({transaction_.id(), transaction_.recipient_domains(), session_->mail().smtputf8});
        refusal = std::move(outcome.refusal);
        prefix = std::move(outcome.fields);
        if (outcome.authentic && !refusal) host_.gate_state_->authentic(policy::network_of(peer_.ip), to_unix_s(now()));
    }
    if (refusal) {
        log_message(*refusal);
        end_transaction();
        return session_->answer(*refusal);
    }
    prefix += format_received(*session_, peer_.ip, transaction_.id(), transaction_.only_recipient(), when);
    if (service_ != Service::Mx) prefix += format_missing_fields(*session_, transaction_.id(), when);
    if (session_->header().begins_with_body()) prefix += "\r\n";
    const Reply reply = transaction_.commit(prefix, session_->account());
    log_message(reply);
    end_transaction();
    session_->answer(reply);
}

void Connection::leave() {
    if (!stream_ || socket_ == nullptr) return;
    if (session_->closed_amid_content()) {
        // The client still writes. Closing now would send a reset that overtakes our reply.
        socket_->linger(kLinger, kLingerBytes);
    }
    stream_->close();
}

void Connection::log_message(const Reply& reply) const {
    log::Event event(reply.positive()    ? "message.accepted"
                     : reply.transient() ? "message.deferred"
                                         : "message.refused");
    event.field("id", transaction_.id()).field("peer", peer_.ip).field("helo", session_->helo());
    event.field("from", session_->mail().path.to_string());
    if (transaction_.recipients() == 1) event.field("to", transaction_.only_recipient());
    event.field("recipients", transaction_.recipients())
        .field("spooled", transaction_.spooled())
        .field("size", transaction_.size());
    if (!session_->account().empty()) event.field("actor", session_->account());
    if (session_->tls()) event.field("tls", session_->tls()->version);
    event.field("ms", std::chrono::duration_cast<milliseconds>(Clock::now() - message_began_).count());
    if (!transaction_.trouble().empty()) event.field("error", transaction_.trouble());
    if (!reply.positive()) event.field("reply", std::to_string(reply.code) + ' ' + reply.enhanced + ' ' + reply.text);
}

void Connection::log_trouble(std::string_view event, const std::string& error) const {
    log::Event(event, log::Level::Error).field("peer", peer_.ip).field("error", error);
}

void Connection::log_connection() const {
    // Messages have their own lines; a connection has one where it was refused something or brought nothing.
    if (session_ && session_->messages() > 0 && session_->total_errors() == 0) return;
    const bool quiet = session_ && session_->total_errors() == 0;
    log::Event event("connection.ended", quiet ? log::Level::Debug : log::Level::Info);
    event.field("peer", peer_.to_string());
    if (session_) {
        event.field("helo", session_->helo())
            .field("messages", session_->messages())
            .field("errors", session_->total_errors());
        if (!session_->account().empty()) event.field("actor", session_->account());
        if (!session_->last_refusal().empty()) event.field("reply", session_->last_refusal());
    }
    if (!ended_.empty()) event.field("error", ended_);
}

}  // namespace gk::smtp
