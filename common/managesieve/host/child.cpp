// SPDX-License-Identifier: MIT
#include "common/managesieve/host/child.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>

#include "common/auth/client.hpp"
#include "common/base/log.hpp"
#include "common/directory/directory.hpp"
#include "common/imap/handover.hpp"
#include "common/net/stream.hpp"
#include "common/os/file.hpp"
#include "common/os/sandbox.hpp"

namespace gk::managesieve {

namespace {

constexpr std::chrono::milliseconds kWriteTimeout{60'000};

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) {
            pollfd one{fd, POLLOUT, 0};
            if (::poll(&one, 1, static_cast<int>(kWriteTimeout.count())) <= 0) return false;
            continue;
        }
        if (count <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

// False when the client does not take the answers.
bool answer(Session& session, int out, std::string_view bytes) {
    if (!write_all(out, session.feed(bytes))) return false;
    while (session.has_more())
        if (!write_all(out, session.feed(""))) return false;
    return true;
}

int refuse(int client, const std::string& session, std::string_view code, const Error& error) {
    log::Event("sieve.session_failed", log::Level::Error).field("session", session).field("error", error.text);
    static_cast<void>(
        write_all(client, imap::format_handover_answer({false, std::string(code), "no session can be had just now"})));
    return 1;
}

// The parent counts the sessions of each account.
Status ask_for_place(int parent, const std::string& account, std::chrono::milliseconds time) {
    if (::send(parent, account.data(), account.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(account.size()))
        return fail_errno("cannot ask gk-sieved's parent");
    pollfd one{parent, POLLIN, 0};
    char answer = kFull;
    if (::poll(&one, 1, static_cast<int>(time.count())) <= 0 || ::recv(parent, &answer, 1, 0) != 1)
        return fail(Errc::Temporary, "gk-sieved's parent does not answer");
    if (answer != kGranted)
        return fail(Errc::Temporary, "too many sessions of this account (sieve.sessions_per_account)");
    return ok();
}

}  // namespace

SessionOptions session_options(const HostSettings& settings, const std::string& account) {
    SessionOptions options = settings.session;
    options.offered.owner = account;
    options.on_change = [account](const Change& change) {
        const bool failed = change.what == "failed";
        log::Event event("sieve.script_" + std::string(change.what), failed ? log::Level::Error : log::Level::Info);
        event.field("actor", account);
        if (!failed) event.field("script", change.script);
        if (!change.to.empty()) event.field("to", change.to);
        if (failed) event.field("error", change.error);
    };
    return options;
}

std::string_view carry(Session& session, int in, int out, os::Signals& signals, std::chrono::milliseconds idle) {
    char buffer[16 * 1024];
    while (!session.closed() && !session.unauthenticated()) {
        pollfd both[2] = {{in, POLLIN, 0}, {signals.fd(), POLLIN, 0}};
        const int count = ::poll(both, 2, static_cast<int>(idle.count()));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            static_cast<void>(write_all(out, session.bye("", "silent for too long")));
            return "idle";
        }
        if (both[1].revents != 0 && signals.next() == os::Signals::Kind::Stop) {
            static_cast<void>(write_all(out, session.bye("TRYLATER", "the server is going down")));
            return "stop";
        }
        if (both[0].revents == 0) continue;
        const ssize_t read = ::read(in, buffer, sizeof buffer);
        if (read < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (read <= 0) return "closed";
        if (!answer(session, out, {buffer, static_cast<std::size_t>(read)})) return "write";
    }
    return session.closed() ? "logout" : "unauthenticated";
}

int run_child(Child child, const std::function<void()>& closed_in) {
    const int client = child.client.release();
    os::close_descriptors_from(3, {client, child.parent.get()});
    auto signals = os::Signals::install();
    if (!signals) return refuse(client, "", "temp", signals.error());
    const auto& settings = child.settings;

    net::SocketStream stream{os::Fd(client)};
    net::LineReader lines(stream, imap::kMaxHandoverLine);
    const auto line = lines.read_line(settings.start_timeout);
    if (!line) return 1;  // the client went away, and the front with it
    const auto handover = imap::parse_handover(*line);
    if (!handover) return refuse(client, "", "temp", handover.error());
    const auto& paths = child.config.paths();
    const auto account =
        auth::Client(paths.run + "/auth.sock", settings.start_timeout).redeem(handover->ticket, "managesieve");
    if (!account)
        return refuse(client, handover->session_id, account.error().code == Errc::Denied ? "auth" : "temp",
                      account.error());
    if (const auto canonical = directory::canonical_account(*account); !canonical || *canonical != *account)
        return refuse(client, handover->session_id, "temp", {Errc::BadInput, "that is not the name of an account", 0});
    if (const auto place = ask_for_place(child.parent.get(), *account, settings.start_timeout); !place)
        return refuse(client, handover->session_id, "temp", place.error());

    const std::string home = directory::home_of(paths, *account);
    if (const auto made = os::make_directories(home + "/sieve"); !made)
        return refuse(client, handover->session_id, "temp", made.error());
    os::Sandbox sandbox;
    sandbox.read_write = {home + "/sieve"};
    sandbox.read_only = {"/dev/urandom"};
    if (const auto& global = child.config.string("sieve.global"); !global.empty()) sandbox.read_only.push_back(global);
    const auto confined = os::enter(sandbox);
    if (!confined) return refuse(client, handover->session_id, "temp", confined.error());
    if (settings.confine_required && !(confined->files_confined && confined->calls_confined))
        return refuse(client, handover->session_id, "temp",
                      {Errc::Unsupported, "this kernel cannot confine a session: " + confined->describe(), 0});
    if (closed_in) closed_in();

    sieve_scripts::Store store(home, settings.scripts);
    SessionOptions options = session_options(settings, *account);
    options.offered.unauthenticate = true;
    Session session(store, judge(child.config, store), options);
    log::Event("sieve.session.begin")
        .field("session", handover->session_id)
        .field("actor", *account)
        .field("peer", handover->ip)
        .field("tls", handover->tls)
        .field("confined", confined->describe());
    const std::string sasl = handover->tag == "-" ? "" : handover->tag;
    if (!write_all(client, imap::format_handover_answer({true, "", ""}) + session.greet_logged_in(sasl))) return 1;
    std::string_view end = "logout";
    if (!answer(session, client, lines.take_buffered())) end = "write";
    else end = carry(session, client, client, *signals, settings.idle_timeout);
    if (session.unauthenticated() && !session.closed()) {
        // Only our side is closed: by that the front knows that its client is to log in again, and takes back what it
        // has not read. Nothing is read any more, so that what the front writes meanwhile shows there as unread.
        ::shutdown(client, SHUT_WR);
        pollfd gone{client, 0, 0};
        static_cast<void>(::poll(&gone, 1, static_cast<int>(settings.start_timeout.count())));
    }
    log::Event("sieve.session.end")
        .field("session", handover->session_id)
        .field("actor", *account)
        .field("reason", end)
        .field("commands", session.commands());
    return 0;
}

}  // namespace gk::managesieve
