// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <cerrno>

#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/os/file.hpp"
#include "common/queue/engine_impl.hpp"
#include "common/queue/spool.hpp"

// From the spool into memory: what is new, and what is due again. All of it on the scheduler's thread.
namespace gk::queue {
namespace {

// Looked at, and taken from the index, before the other has its turn: what comes new must not wait for thousands.
constexpr std::size_t kLooks = 500, kDueAtOnce = 200;
constexpr std::chrono::hours kPastDeadline{1};

Admission::Ticket ticket_for(const Envelope& envelope, const MessageState& state) {
    Admission::Ticket ticket;
    ticket.sender = envelope.reverse_path;
    for (std::size_t i = 0; i < envelope.recipients.size(); ++i) {
        if (state.recipients[i].kind != RecipientState::Kind::Waiting) continue;
        auto domain = domain_of(envelope.recipients[i].address);
        if (std::find(ticket.domains.begin(), ticket.domains.end(), domain) == ticket.domains.end())
            ticket.domains.push_back(std::move(domain));
    }
    return ticket;
}

}  // namespace

Status Engine::Impl::watch() {
    inotify = os::Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    // Without inotify (its instances are limited) the scheduler looks by itself.
    if (!inotify || ::inotify_add_watch(inotify.get(), (dir + "/new").c_str(), IN_MOVED_TO | IN_CREATE) < 0) {
        log::Event("queue.unwatched", log::Level::Warning)
            .field("error", os_error(errno, "cannot watch the spool").text);
        inotify.reset();
    }
    return ok();
}

void Engine::Impl::read_inotify() {
    alignas(inotify_event) char buffer[16 * 1024];
    for (;;) {
        const ssize_t n = ::read(inotify.get(), buffer, sizeof buffer);
        if (n <= 0) return;
        for (ssize_t at = 0; at < n;) {
            const auto* event = reinterpret_cast<const struct inotify_event*>(buffer + at);
            if (event->mask & IN_Q_OVERFLOW) rescan = true;
            else if (event->len > 0) arrived.emplace_back(event->name);
            at += static_cast<ssize_t>(sizeof(struct inotify_event) + event->len);
        }
    }
}

void Engine::Impl::list_arrived() {
    rescan = false;
    auto entries = os::list_directory(dir + "/new");
    if (!entries) {
        rescan = true;
        return;
    }
    std::sort(entries->begin(), entries->end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    arrived.clear();
    later.clear();
    for (auto& entry : *entries) arrived.push_back(std::move(entry.name));
}

void Engine::Impl::set_aside(const std::string& path, const std::string& name, std::string_view why) {
    const std::string to = fmt::format("{}/corrupt/{}.{}", dir, name, new_id());
    const auto moved = os::rename(path, to);
    log::Event("queue.corrupt", log::Level::Error)
        .field("file", name)
        .field("error", why)
        .field("moved_to", moved ? to : moved.error().text);
}

// Each name is looked at once, so that whoever has one message does not wait behind the thousands of another; those
// whose destination has enough wait until a good part of what is in memory is done.
void Engine::Impl::take_arrived() {
    std::size_t here;
    {
        const std::lock_guard guard(mutex);
        here = admission.entered();
    }
    // In neither directory's listing nor among the active for a moment: is_idle() must not take that for rest.
    taking = true;
    if (!later.empty() && here <= wake_below) {
        while (!later.empty()) {
            std::string name = std::move(later.front());
            later.pop_front();
            if (take_named(name)) continue;
            later.push_back(std::move(name));
            break;
        }
    }
    for (std::size_t n = 0; n < kLooks && !arrived.empty(); ++n) {
        std::string name = std::move(arrived.front());
        arrived.pop_front();
        if (!take_named(name)) later.push_back(std::move(name));
    }
    taking = false;
}

bool Engine::Impl::take_named(const std::string& name) {
    const std::string from = fmt::format("{}/new/{}", dir, name);
    if (!is_queue_id(name)) {
        if (os::exists(from)) set_aside(from, name, "not a queue id");
        return true;
    }
    const Claim claim(*this, name);
    auto file = SpoolFile::open(from);
    if (!file) {
        // NotFound: seen twice, by listing and by inotify.
        if (file.error().code == Errc::BadInput) set_aside(from, name, file.error().text);
        else if (file.error().code != Errc::NotFound) {
            rescan = true;
            log::Event("queue.trouble", log::Level::Error).field("id", name).field("error", file.error().text);
        }
        return true;
    }
    const auto state = MessageState::of(file->envelope(), file->outcomes());
    auto answer = Admission::Answer::Enter;
    {
        const std::lock_guard guard(mutex);
        answer = admission.ask(ticket_for(file->envelope(), state));
    }
    if (answer == Admission::Answer::Later) return false;

    std::string id = name;
    auto moved = os::rename_new(from, fmt::format("{}/active/{}", dir, id));
    if (!moved && moved.error().code == Errc::Exists) {
        id = new_id();
        moved = os::rename_new(from, fmt::format("{}/active/{}", dir, id));
    }
    if (!moved) {
        if (moved.error().code == Errc::NotFound) return true;
        rescan = true;
        log::Event("queue.trouble", log::Level::Error).field("id", name).field("error", moved.error().text);
        return true;
    }
    file->moved_to(fmt::format("{}/active/{}", dir, id));
    const auto& envelope = file->envelope();
    log::Event("queue.accepted")
        .field("id", envelope.trace_id)
        .field("queue", id)
        .field("sender", envelope.reverse_path)
        .field("recipients", envelope.recipients.size())
        .field("size", file->message_size());
    if (state.begins > now())
        log::Event("queue.scheduled")
            .field("id", envelope.trace_id)
            .field("queue", id)
            .field("until", format_rfc3339(state.begins));
    if (answer == Admission::Answer::OnDisk && put_row(*file, state)) return true;
    activate_file(id, std::move(*file), true, false);
    return true;
}

void Engine::Impl::take_due() {
    if (is_drained("")) return;
    std::size_t free;
    {
        const std::lock_guard guard(mutex);
        free = admission.free();
    }
    if (free == 0) return;
    auto due = index->take_due(now(), std::min(free, kDueAtOnce), [this](const std::string& domain) {
        const std::lock_guard guard(mutex);
        return admission.room(domain);
    });
    if (!due) log::Event("queue.trouble", log::Level::Error).field("error", due.error().text);
    else
        for (const auto& one : *due) {
            const Claim claim(*this, one.id);
            activate(one.id, one.is_forced);
        }
}

void Engine::Impl::activate(const std::string& id, bool is_forced) {
    {
        std::unique_lock guard(mutex);
        if (active.contains(id)) {
            // Back in the index already, and not out of memory yet.
            guard.unlock();
            (void)index->postpone(id, now() + std::chrono::milliseconds(100));
            return;
        }
    }
    const std::string path = fmt::format("{}/active/{}", dir, id);
    auto file = SpoolFile::open(path);
    if (file) return activate_file(id, std::move(*file), false, is_forced);
    const auto code = file.error().code;
    if (code == Errc::BadInput) set_aside(path, id, file.error().text);
    if (code == Errc::BadInput || code == Errc::NotFound) {
        (void)index->remove(id);
        return;
    }
    // Out of descriptors or memory: it stays on disk, and comes back soon.
    log::Event("queue.trouble", log::Level::Error).field("id", id).field("error", file.error().text);
    (void)index->postpone(id, now() + plan()->settings.stuck_retry);
}

void Engine::Impl::activate_file(const std::string& id, SpoolFile file, bool is_new, bool is_forced) {
    auto message = std::make_shared<ActiveMessage>();
    message->id = id;
    message->path = fmt::format("{}/active/{}", dir, id);
    message->is_indexed = !is_new;
    message->is_forced = is_forced;
    message->file = std::move(file);
    const auto& envelope = message->file.envelope();
    message->trace_id = envelope.trace_id;
    message->state = MessageState::of(envelope, message->file.outcomes());
    message->ticket = ticket_for(envelope, message->state);
    {
        const std::lock_guard guard(mutex);
        active[id] = message;
        admission.enter(message->ticket);
    }
    begin(message);
}

// A row, with the time at which the message must be looked at even though its destinations are away: to give it up, or
// to warn its sender.
Summary Engine::Impl::row_of(const SpoolFile& file, const MessageState& state) const {
    Summary row = summarize(file, state);
    const auto& envelope = file.envelope();
    const auto current = plan();
    const auto& schedule = current->settings.schedule;
    const TimePoint begin = state.since(envelope);
    auto expire = std::chrono::seconds::max();
    for (std::size_t i = 0; i < envelope.recipients.size(); ++i)
        if (state.recipients[i].kind == RecipientState::Kind::Waiting)
            expire = std::min(expire, current->settings.expire(envelope, envelope.recipients[i].address));
    if (expire == std::chrono::seconds::max()) expire = schedule.expire;
    TimePoint deadline = begin + expire;
    const TimePoint warning = begin + schedule.delay_warning;
    if (schedule.delay_warning.count() > 0 && !state.warned && !envelope.reverse_path.empty() && warning > now())
        deadline = std::min(deadline, warning);
    // What was looked at and is still here is held, or waits for a time of its own.
    row.deadline = std::max(deadline, now() + kPastDeadline);
    if (deadline > now()) row.deadline = deadline;
    return row;
}

Status Engine::Impl::put_row(const SpoolFile& file, const MessageState& state) {
    return index->put(row_of(file, state), state.held);
}

}  // namespace gk::queue
