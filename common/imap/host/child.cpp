// SPDX-License-Identifier: MIT
#include "common/imap/host/child.hpp"

#include <unistd.h>
#include <cstdlib>

#include "common/base/log.hpp"
#include "common/imap/host/carry.hpp"
#include "common/imap/host/notes.hpp"
#include "common/os/daemon.hpp"
#include "common/os/sandbox.hpp"

namespace gk::imap {

namespace {

// Time zones, and what glibc loads when a charset is first met.
const std::vector<std::string> kReadable = {"/usr/lib",       "/usr/lib64",  "/lib", "/lib64", "/usr/share/zoneinfo",
                                            "/etc/localtime", "/dev/urandom"};

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

bool read_notes(int notes, Session& session) {
    bool closed = false, look = false, thorough = false;
    while (const auto note = receive_note(notes, closed)) {
        const auto* now = std::get_if<LookNow>(&*note);
        if (now == nullptr) continue;
        look = true;
        thorough = thorough || now->thorough;
    }
    if (look) session.changed(thorough ? store::Look::Thorough : store::Look::Gate);
    return !closed;
}

}  // namespace

int run_child(Child child) {
    os::close_descriptors_from(3, {child.client.get(), child.notes.get()});
    const auto signals = os::Signals::install();
    if (!signals) return refuse(child, signals.error());
    // SQLite's temporary files, should it need one, belong to what is reachable.
    ::setenv("SQLITE_TMPDIR", child.home.c_str(), 1);
    os::Sandbox sandbox;
    sandbox.read_only = kReadable;
    sandbox.read_write = {child.home};
    const auto confined = os::enter(sandbox);
    if (!confined) return refuse(child, confined.error());

    NoteSink sink(child.notes.get());
    store::AccountOptions options;
    options.name = child.account;
    options.message_limits = child.settings.message;
    options.sink = &sink;
    options.quota = child.quota;
    auto account = store::Account::open(child.home, options);
    if (!account) return refuse(child, account.error());
    const std::string line = format_handover_answer({true, "", ""});
    if (::write(child.client.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 1;

    log::Event("imap.session.begin")
        .field("session", child.handover.session_id)
        .field("actor", child.account)
        .field("peer", child.handover.ip)
        .field("tls", child.handover.tls)
        .field("confined", confined->describe());
    Session session(*account, child.settings.session);
    session.greet_logged_in(child.handover.tag, child.handover.with_capabilities);
    if (!child.first_bytes.empty()) session.feed(child.first_bytes);

    CarryOptions wire;
    wire.in = wire.out = child.client.get();
    wire.signals = &*signals;
    wire.notes = child.notes.get();
    wire.on_notes = [&](Session& s) { return read_notes(child.notes.get(), s); };
    wire.after_turn = SelectionTeller(child.notes.get(), *account);
    wire.idle_timeout = child.settings.idle_timeout;
    wire.write_timeout = child.settings.write_timeout;
    const Carried carried = carry(session, wire);
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
