// SPDX-License-Identifier: MIT
#include "common/imap/host/child.hpp"

#include <poll.h>
#include <unistd.h>

#include "common/base/log.hpp"
#include "common/imap/host/carry.hpp"
#include "common/imap/host/confined.hpp"
#include "common/imap/host/notes.hpp"
#include "common/os/daemon.hpp"

namespace gk::imap {

namespace {

int refuse(const Child& child, const Error& error) {
    log::Event("imap.session.failed", log::Level::Error)
        .field("session", child.handover.session_id)
        .field("actor", child.account)
        .field("error", error.text);
    const std::string line = format_handover_answer({false, "temp", "the mailbox is not to be had just now"});
    static_cast<void>(!::write(child.client.get(), line.data(), line.size()));
    return 1;
}

// Tells the parent when another mailbox is selected, so that it watches that one.
class SelectionTeller {
public:
    SelectionTeller(int notes, std::shared_ptr<store::Account> account) : notes_(notes), account_(std::move(account)) {}
    void operator()(Session& session) {
        if (session.watches_account() != watches_) {
            watches_ = session.watches_account();
            send_note(notes_, Watches{watches_});
        }
        if (session.selected() == told_) return;
        told_ = session.selected();
        send_note(notes_, Selected{told_, told_.empty() ? std::string() : account_->mailbox_path(told_)});
    }

private:
    int notes_;
    std::shared_ptr<store::Account> account_;
    std::string told_;
    bool watches_ = false;
};

bool read_notes(int notes, Session& session, std::uint64_t& heard) {
    bool closed = false, look = false, thorough = false;
    while (const auto note = receive_note(notes, closed)) {
        ++heard;
        const auto* now = std::get_if<LookNow>(&*note);
        if (now == nullptr) continue;
        look = true;
        thorough = thorough || now->thorough;
    }
    if (look) session.changed(thorough ? store::Look::Thorough : store::Look::Gate);
    return !closed;
}

// Until the front closes the stream, which it does when nothing is on the way. What it carried meanwhile goes back to
// it; where that is too much, this is the end of the connection.
void give_up(const Child& child, GaveUp gave_up) {
    constexpr std::size_t kMostRest = 16 * 1024;
    char buffer[4096];
    while (gave_up.rest.size() <= kMostRest) {
        send_note(child.notes.get(), gave_up);
        pollfd one{child.client.get(), POLLIN, 0};
        if (::poll(&one, 1, static_cast<int>(child.settings.start_timeout.count())) <= 0) return;
        const ssize_t count = ::read(child.client.get(), buffer, sizeof buffer);
        if (count <= 0) return;
        gave_up.read += static_cast<std::uint64_t>(count);
        gave_up.rest.append(buffer, static_cast<std::size_t>(count));
    }
}

}  // namespace

int run_child(Child child, const std::function<void()>& closed_in) {
    os::close_descriptors_from(3, {child.client.get(), child.notes.get()});
    const auto signals = os::Signals::install();
    if (!signals) return refuse(child, signals.error());
    NoteSink sink(child.notes.get());
    const auto opened = open_confined(child.account, child.home, child.settings, child.quota, sink, closed_in);
    if (!opened) return refuse(child, opened.error());
    const auto& account = opened->account;
    const std::string line = format_handover_answer({true, "", ""});
    if (::write(child.client.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 1;

    log::Event("imap.session.begin")
        .field("session", child.handover.session_id)
        .field("actor", child.account)
        .field("peer", child.handover.ip)
        .field("tls", child.handover.tls)
        .field("woken", !child.state.empty())
        .field("confined", opened->confined.describe());
    SessionOptions can = child.settings.session;
    can.can_compress = true;
    can.can_unauthenticate = !child.handover.front.empty();
    Session session(account, can);
    if (child.state.empty()) {
        session.greet_logged_in(child.handover.tag, child.handover.with_capabilities);
    } else if (const Status awake = session.wake(child.state); !awake) {
        log::Event("imap.session.lost", log::Level::Warning)
            .field("session", child.handover.session_id)
            .field("actor", child.account)
            .field("error", awake.error().text);
        if (!session.closed()) session.bye("The session cannot go on, connect again");
    }
    if (!child.first_bytes.empty()) session.feed(child.first_bytes);

    std::uint64_t heard = 0;
    CarryOptions wire;
    wire.in = wire.out = child.client.get();
    wire.signals = &*signals;
    wire.notes = child.notes.get();
    wire.on_notes = [&](Session& s) { return read_notes(child.notes.get(), s, heard); };
    wire.after_turn = SelectionTeller(child.notes.get(), account);
    if (!child.handover.front.empty()) {
        wire.sleep_after = child.settings.sleep_after;
        wire.sleep_silent_after = child.settings.sleep_silent_after;
    }
    wire.would_sleep = [&](Session& s, const CarryOptions::Counts& counts) {
        const auto state = s.put_to_sleep();
        return state && send_note(child.notes.get(),
                                  WouldSleep{heard, counts.read, counts.written,
                                             static_cast<std::uint64_t>(std::max<std::int64_t>(1, counts.left.count())),
                                             s.idling(), *state});
    };
    wire.read_before = child.first_bytes.size();
    wire.idle_timeout = child.settings.idle_timeout;
    wire.write_timeout = child.settings.write_timeout;
    const Carried carried = carry(session, wire);
    if (session.unauthenticated())
        give_up(child, {wire.read_before + carried.octets_in, carried.octets_out, session.take_rest()});
    log::Event("imap.session.end")
        .field("session", child.handover.session_id)
        .field("actor", child.account)
        .field("reason", carried.end)
        .field("commands", session.commands())
        .field("octets_in", carried.octets_in)
        .field("octets_out", carried.octets_out);
    return 0;
}

}  // namespace gk::imap
