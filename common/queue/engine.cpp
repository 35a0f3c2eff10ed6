// SPDX-License-Identifier: MIT
#include "common/queue/engine.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>

#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/os/file.hpp"
#include "common/queue/engine_impl.hpp"
#include "common/queue/spool.hpp"

namespace gk::queue {
namespace {

// Messages in memory at a time; the others wait on disk.
constexpr std::size_t kMaxActive = 2000;
constexpr std::chrono::seconds kIdleSession{5};
constexpr std::chrono::hours kForgetFailures{1};
constexpr std::chrono::hours kRenewPolicies{1};
// What lies in tmp/ for longer was never acknowledged: its writer died.
constexpr std::int64_t kTemporaryAge_s = 36 * 3600;

void remove_old_temporaries(const std::string& dir) {
    auto entries = os::list_directory(dir);
    if (!entries) return;
    for (const auto& entry : *entries) {
        const std::string path = dir + "/" + entry.name;
        struct stat st {};
        if (::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && to_unix_s(now()) - st.st_mtime > kTemporaryAge_s)
            (void)os::unlink(path);
    }
}

}  // namespace

Result<std::shared_ptr<const Plan>> make_plan(const Settings& settings,
                                              std::function<Result<bool>(std::string_view)> is_local) {
    auto plan = std::make_shared<Plan>();
    plan->settings = settings;
    GK_TRY(plan->routes, Routes::create(settings.routes, settings.mx_port, std::move(is_local), settings.local_socket));
    GK_TRY(plan->connector, Connector::create(plan->settings));
    plan->signers =
        std::make_unique<dkim_client::ClientPool>(settings.signing.socket, settings.threads, settings.signing.timeout);
    return plan;
}

std::shared_ptr<const Plan> Engine::Impl::plan() const {
    const std::lock_guard guard(plan_mutex);
    return current_plan;
}

Status Engine::Impl::prepare() {
    GK_CHECK(create_spool(dir));
    GK_TRY(lock, lock_spool(dir));
    GK_TRY(index, Index::open(dir + "/queue.db"));
    wake = os::Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake) return fail_errno("cannot create an event descriptor");
    GK_CHECK(watch());
    remove_old_temporaries(dir + "/tmp");
    return scan();
}

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

// Brings index and files together: a file that the index does not know becomes due, a row without a file goes.
Status Engine::Impl::scan() {
    const std::string active_dir = dir + "/active";
    GK_TRY(const auto entries, os::list_directory(active_dir));
    std::set<std::string> known;
    for (std::string after;;) {
        GK_TRY(const auto ids, index->ids(after, 10'000));
        known.insert(ids.begin(), ids.end());
        if (ids.empty()) break;
        after = ids.back();
    }
    for (const auto& entry : entries) {
        if (known.erase(entry.name) > 0) continue;
        const std::string path = active_dir + "/" + entry.name;
        auto file = is_queue_id(entry.name) ? SpoolFile::open(path) : fail(Errc::BadInput, "not a queue id");
        if (!file) {
            if (file.error().code != Errc::BadInput) return fail(file.error());
            set_aside(path, entry.name, file.error().text);
            continue;
        }
        const auto state = MessageState::of(file->envelope(), file->outcomes());
        Summary summary = summarize(*file, state);
        if (!summary.next) summary.next = now();
        GK_CHECK(index->put(summary, state.held));
    }
    for (const auto& gone : known) GK_CHECK(index->remove(gone));
    GK_CHECK(index->recover(now(), now() + plan()->settings.schedule.most * 2));
    rescan = true;
    return ok();
}

void Engine::Impl::set_aside(const std::string& path, const std::string& name, std::string_view why) {
    const std::string to = fmt::format("{}/corrupt/{}.{}", dir, name, new_id());
    const auto moved = os::rename(path, to);
    log::Event("queue.corrupt", log::Level::Error)
        .field("file", name)
        .field("error", why)
        .field("moved_to", moved ? to : moved.error().text);
}

void Engine::Impl::wake_scheduler() noexcept { (void)::eventfd_write(wake.get(), 1); }

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
    for (auto& entry : *entries) arrived.push_back(std::move(entry.name));
}

std::size_t Engine::Impl::room() {
    const std::lock_guard guard(mutex);
    return active.size() < kMaxActive ? kMaxActive - active.size() : 0;
}

void Engine::Impl::take_arrived(const std::string& name) {
    // In neither directory's listing nor among the active for a moment: is_idle() must not take that for rest.
    taking = true;
    take_named(name);
    taking = false;
}

void Engine::Impl::take_named(const std::string& name) {
    const std::string from = fmt::format("{}/new/{}", dir, name);
    if (!is_queue_id(name)) {
        if (os::exists(from)) set_aside(from, name, "not a queue id");
        return;
    }
    std::string id = name;
    auto moved = os::rename_new(from, fmt::format("{}/active/{}", dir, id));
    if (!moved && moved.error().code == Errc::Exists) {
        id = new_id();
        moved = os::rename_new(from, fmt::format("{}/active/{}", dir, id));
    }
    if (moved) return activate(id, true);
    if (moved.error().code == Errc::NotFound) return;  // seen twice: by listing and by inotify
    rescan = true;
    log::Event("queue.trouble", log::Level::Error).field("id", name).field("error", moved.error().text);
}

void Engine::Impl::activate(const std::string& id, bool is_new) {
    {
        const std::lock_guard guard(mutex);
        if (active.contains(id)) return;
    }
    const std::string path = fmt::format("{}/active/{}", dir, id);
    auto file = SpoolFile::open(path);
    if (!file) {
        const auto code = file.error().code;
        if (code == Errc::BadInput) set_aside(path, id, file.error().text);
        if (code == Errc::BadInput || code == Errc::NotFound) {
            (void)index->remove(id);
            return;
        }
        // Out of descriptors or memory: it stays on disk, and comes back soon.
        log::Event("queue.trouble", log::Level::Error).field("id", id).field("error", file.error().text);
        (void)index->postpone(id, now() + plan()->settings.stuck_retry);
        return;
    }
    auto message = std::make_shared<ActiveMessage>();
    message->id = id;
    message->path = path;
    message->is_indexed = !is_new;
    message->file = std::move(*file);
    const auto& envelope = message->file.envelope();
    message->state = MessageState::of(envelope, message->file.outcomes());
    if (is_new)
        log::Event("queue.accepted")
            .field("id", envelope.trace_id)
            .field("queue", id)
            .field("sender", envelope.reverse_path)
            .field("recipients", envelope.recipients.size())
            .field("size", message->file.message_size());
    {
        const std::lock_guard guard(mutex);
        active[id] = message;
    }
    begin(message);
}

void Engine::Impl::schedule() {
    auto last_listing = Steady::now();
    while (true) {
        {
            const std::lock_guard guard(mutex);
            if (stopping) return;
        }
        // The spool is listed now and then even though inotify tells: a lost event must not cost a day.
        if (rescan || Steady::now() - last_listing > (inotify ? std::chrono::seconds(60) : std::chrono::seconds(1))) {
            list_arrived();
            last_listing = Steady::now();
        }
        std::size_t free = room();
        while (free > 0 && !arrived.empty()) {
            const std::string name = std::move(arrived.front());
            arrived.pop_front();
            take_arrived(name);
            if (--free == 0) free = room();
        }
        if (free > 0) {
            auto due = index->take_due(now(), free);
            if (!due) log::Event("queue.trouble", log::Level::Error).field("error", due.error().text);
            else
                for (const auto& one : *due) activate(one.id, false);
        }
        std::vector<std::shared_ptr<ActiveMessage>> again;
        {
            const std::lock_guard guard(mutex);
            while (!stuck.empty() && stuck.front().first <= Steady::now()) {
                again.push_back(std::move(stuck.front().second));
                stuck.pop_front();
            }
        }
        for (const auto& message : again) finish(message);

        // Bounded, so that a clock that jumps is noticed.
        std::int64_t wait_ms = 30'000;
        if (auto next = index->next_due(); next && *next)
            wait_ms = std::min(
                wait_ms, std::max<std::int64_t>(
                             0, std::chrono::duration_cast<std::chrono::milliseconds>(**next - now()).count() + 1));
        {
            const std::lock_guard guard(mutex);
            if (!stuck.empty())
                wait_ms = std::min<std::int64_t>(wait_ms, plan()->settings.stuck_retry.count() / 10 + 1);
            if (active.size() >= kMaxActive) wait_ms = 100;
        }
        if (!inotify || rescan) wait_ms = std::min<std::int64_t>(wait_ms, 1000);
        pollfd fds[2] = {{wake.get(), POLLIN, 0}, {inotify ? inotify.get() : -1, POLLIN, 0}};
        (void)::poll(fds, 2, static_cast<int>(wait_ms));
        eventfd_t ignored = 0;
        if (fds[0].revents) (void)::eventfd_read(wake.get(), &ignored);
        if (inotify) read_inotify();
    }
}

void Engine::Impl::close_idle() {
    std::unique_lock guard(mutex);
    auto renewed = Steady::now();
    while (!stopping) {
        work.wait_for(guard, std::chrono::seconds(1), [&] { return stopping; });
        std::vector<IdleSession> old;
        for (auto at = destinations.begin(); at != destinations.end();) {
            Destination& d = *at->second;
            std::erase_if(d.idle, [&](IdleSession& idle) {
                if (!stopping && Steady::now() - idle.since < kIdleSession) return false;
                old.push_back(std::move(idle));
                return true;
            });
            const bool unused =
                d.idle.empty() && d.waiting.empty() && d.running == 0 && !d.is_ready &&
                (d.failures == 0 ? d.down_until < Steady::now() : d.down_until + kForgetFailures < Steady::now());
            at = unused ? destinations.erase(at) : std::next(at);
        }
        guard.unlock();
        for (auto& idle : old) idle.session->quit();
        if (Steady::now() - renewed > kRenewPolicies) {
            renewed = Steady::now();
            plan()->connector->renew_policies();
        }
        guard.lock();
    }
}

Engine::Engine(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Engine>> Engine::start(const Settings& settings,
                                              std::function<Result<bool>(std::string_view)> is_local) {
    auto impl = std::make_shared<Impl>();
    GK_TRY(impl->current_plan, make_plan(settings, std::move(is_local)));
    impl->dir = settings.spool_dir;
    GK_CHECK(impl->prepare());
    auto* raw = impl.get();
    impl->scheduler = std::thread([raw] { raw->schedule(); });
    impl->closer = std::thread([raw] { raw->close_idle(); });
    return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Status Engine::reload(const Settings& settings, std::function<Result<bool>(std::string_view)> is_local) {
    if (settings.spool_dir != impl_->dir)
        return fail(Errc::Config, "the spool's place cannot change while gk-queue runs");
    GK_TRY(auto plan, make_plan(settings, std::move(is_local)));
    {
        const std::lock_guard guard(impl_->plan_mutex);
        impl_->current_plan = std::move(plan);
    }
    const std::lock_guard guard(impl_->mutex);
    for (auto& [key, destination] : impl_->destinations) destination->down_until = {};
    return ok();
}

bool Engine::drain() {
    auto& impl = *impl_;
    {
        const std::lock_guard guard(impl.mutex);
        impl.stopping = true;
    }
    impl.work.notify_all();
    impl.wake_scheduler();
    if (impl.scheduler.joinable()) impl.scheduler.join();
    std::unique_lock guard(impl.mutex);
    return impl.all_idle.wait_for(guard, impl.plan()->settings.drain_timeout, [&] { return impl.busy_workers == 0; });
}

Engine::~Engine() {
    const bool drained = drain();
    auto& impl = *impl_;
    if (impl.closer.joinable()) impl.closer.join();
    for (auto& worker : impl.workers) {
        if (drained) worker.join();
        // A worker in the middle of a session keeps what it uses alive until the program ends.
        else worker.detach();
    }
}

}  // namespace gk::queue
