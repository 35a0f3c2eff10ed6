// SPDX-License-Identifier: MIT
#include "common/queue/engine.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "common/base/log.hpp"
#include "common/os/file.hpp"
#include "common/queue/engine_impl.hpp"
#include "common/queue/notices.hpp"
#include "common/queue/spool.hpp"

namespace gk::queue {
namespace {

constexpr std::chrono::seconds kIdleSession{5};
constexpr std::chrono::hours kForgetFailures{1};
constexpr std::chrono::hours kRenewPolicies{1};
// What lies in tmp/ for longer was never acknowledged: its writer died.
constexpr std::int64_t kTemporaryAge_s = 36 * 3600;
// Between two syncs of the directory that messages were removed from.
constexpr std::chrono::milliseconds kSyncGap{5};

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
    SenderTables senders{settings.sender_routes, {}};
    for (const auto& [sender, ips] : settings.sender_addresses) senders.addresses.insert(sender);
    GK_TRY(plan->routes,
           Routes::create(settings.routes, settings.mx_port, std::move(is_local), settings.local_socket, senders));
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
    GK_CHECK(settle_dsns(dir));
    GK_TRY(index, Index::open(dir + "/queue.db"));
    GK_TRY(sent, SentLog::open(dir + "/sent.db"));
    wake = os::Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake) return fail_errno("cannot create an event descriptor");
    GK_CHECK(watch());
    GK_TRY(drained, read_drained(dir));
    remove_old_temporaries(dir + "/tmp");
    rescan = true;
    return index->recover(now(), now() + plan()->settings.schedule.longest());
}

void Engine::Impl::wake_scheduler() noexcept { (void)::eventfd_write(wake.get(), 1); }

void Engine::Impl::retry_stuck() {
    std::vector<std::shared_ptr<ActiveMessage>> again;
    {
        const std::lock_guard guard(mutex);
        while (!stuck.empty() && stuck.front().first <= Steady::now()) {
            again.push_back(std::move(stuck.front().second));
            stuck.pop_front();
        }
    }
    for (const auto& message : again) finish(message);
}

// Until the scheduler must look again though nobody wakes it. Bounded, so that a clock that jumps is noticed.
int Engine::Impl::wait_ms() {
    std::int64_t ms = 30'000;
    const bool paused = is_drained("");
    if (auto next = index->next_due(); next && *next && !paused)
        ms = std::clamp<std::int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(**next - now()).count() + 1,
                                      0, ms);
    const bool has_full_lanes = !paused && index->has_full_lanes();
    {
        const std::lock_guard guard(mutex);
        if (!stuck.empty()) ms = std::min<std::int64_t>(ms, plan()->settings.stuck_retry.count() / 10 + 1);
        // What wants to come in is let in when a fifth of what is here is done, or soon.
        const bool is_full = admission.free() == 0;
        const bool is_wanted = is_full || !later.empty() || has_full_lanes;
        wake_below = is_wanted ? admission.entered() - admission.entered() / 5 : 0;
        if (is_full) ms = 100;
        else if (is_wanted) ms = std::min<std::int64_t>(ms, 100);
    }
    if (!inotify || rescan) ms = std::min<std::int64_t>(ms, 1000);
    if (!arrived.empty()) ms = 0;
    const std::lock_guard guard(unknown_mutex);
    return unknown.empty() ? static_cast<int>(ms) : 0;
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
        // Neither on disk nor among the active for a moment: is_idle() must not take that for rest.
        taking = true;
        adopt_unknown();
        take_arrived();
        take_due();
        taking = false;
        retry_stuck();

        pollfd fds[2] = {{wake.get(), POLLIN, 0}, {inotify ? inotify.get() : -1, POLLIN, 0}};
        (void)::poll(fds, 2, wait_ms());
        eventfd_t ignored = 0;
        if (fds[0].revents) (void)::eventfd_read(wake.get(), &ignored);
        if (inotify && fds[1].revents) read_inotify();
    }
}

// A message that is done leaves by its name's removal, and this makes removals durable, together. Workers do not wait
// for it: after a power cut what was removed in the last milliseconds is sent again, and nothing is promised against
// that.
void Engine::Impl::sync_removals() {
    std::unique_lock guard(sync_mutex);
    for (;;) {
        sync_wanted.wait(guard, [&] { return unsynced || sync_stopping; });
        if (!unsynced) return;
        unsynced = false;
        guard.unlock();
        const auto synced = os::sync_directory(dir + "/active");
        if (!synced) log::Event("queue.trouble", log::Level::Error).field("error", synced.error().text);
        guard.lock();
        sync_wanted.wait_for(guard, synced ? kSyncGap : std::chrono::milliseconds(1000), [&] { return sync_stopping; });
        if (!synced && !sync_stopping) unsynced = true;
    }
}

void Engine::Impl::close_idle() {
    std::unique_lock guard(mutex);
    auto renewed = Steady::now();
    while (!stopping) {
        closing.wait_for(guard, std::chrono::seconds(1), [&] { return stopping; });
        std::vector<IdleSession> old;
        for (auto at = destinations.begin(); at != destinations.end();) {
            Destination& d = *at->second;
            // Its rate allows another by now.
            make_ready_locked(d);
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
        admission.prune();
        guard.unlock();
        for (auto& idle : old) idle.session->quit();
        if (Steady::now() - renewed > kRenewPolicies) {
            renewed = Steady::now();
            plan()->connector->renew_policies();
            forget_sent();
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
    impl->syncer = std::thread([raw] { raw->sync_removals(); });
    impl->reconciling = true;
    impl->reconciler = std::thread([raw] { raw->reconcile(); });
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
    {
        const std::lock_guard guard(impl_->mutex);
        for (auto& [key, destination] : impl_->destinations)
            destination->most = settings.limits.of(destination->route.host);
    }
    impl_->reopen();
    return ok();
}

void Engine::Impl::reopen() {
    index->reopen();
    {
        const std::lock_guard guard(mutex);
        admission.reopen();
        for (auto& [key, destination] : destinations) destination->down_until = {};
    }
    wake_scheduler();
}

bool Engine::drain() {
    auto& impl = *impl_;
    {
        const std::lock_guard guard(impl.mutex);
        impl.stopping = true;
    }
    impl.work.notify_all();
    impl.closing.notify_all();
    impl.wake_scheduler();
    {
        const std::lock_guard unknown(impl.unknown_mutex);
        impl.reconciling = false;
    }
    impl.unknown_taken.notify_all();
    if (impl.reconciler.joinable()) impl.reconciler.join();
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
    {
        const std::lock_guard guard(impl.sync_mutex);
        impl.sync_stopping = true;
    }
    impl.sync_wanted.notify_all();
    if (impl.syncer.joinable()) impl.syncer.join();
}

}  // namespace gk::queue
