// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "common/queue/connector.hpp"
#include "common/queue/dsn.hpp"
#include "common/queue/engine.hpp"
#include "common/queue/index.hpp"
#include "common/queue/routes.hpp"
#include "common/queue/spool_file.hpp"
#include "common/queue/state.hpp"

namespace gk::queue {

using Steady = std::chrono::steady_clock;

// A message under way. MUTEX guards all but PATH, GROUPS_LEFT (which Impl::mutex guards) and SIGNATURES.
struct ActiveMessage {
    std::mutex mutex;
    std::string id, path;
    SpoolFile file;
    MessageState state;
    std::vector<Outcome> unwritten;  // happened, but the disk did not take it yet
    bool deleted = false;
    bool needs_smtputf8 = false;
    tlspolicy::Wish wish = tlspolicy::Wish::None;
    bool is_indexed = false;  // has a row in the index
    std::size_t groups_left = 0;
    // Made once, by the first session that needs it; SIGNING guards it.
    std::mutex signing;
    std::optional<Result<std::string>> signatures;
    const std::string& trace() const noexcept { return file.envelope().trace_id; }
};

// Recipients of one message that go the same way.
struct Group {
    std::shared_ptr<ActiveMessage> message;
    std::vector<std::size_t> recipients;
};

struct IdleSession {
    std::unique_ptr<smtp_client::Session> session;
    std::string peer, tls;  // as in Opened
    unsigned messages = 0;
    Steady::time_point since;
};

struct Destination {
    Route route;
    std::deque<Group> waiting;
    std::vector<IdleSession> idle;
    unsigned running = 0;
    unsigned limit = 2;                 // sessions at a time: grows with each success, falls to 1 with a failure
    unsigned failures = 0;              // in a row, of opening a session
    Steady::time_point down_until{};    // until then nothing is tried
    Steady::time_point last_success{};  // of a transaction
    Opened last_failure;
    bool is_ready = false;  // in Impl::ready
};

// What the configuration says. CONNECTOR refers to SETTINGS.
struct Plan {
    Settings settings;
    Routes routes;
    std::unique_ptr<Connector> connector;
    std::unique_ptr<dkim_client::ClientPool> signers;
};
Result<std::shared_ptr<const Plan>> make_plan(const Settings& settings,
                                              std::function<Result<bool>(std::string_view)> is_local);

struct Engine::Impl : std::enable_shared_from_this<Engine::Impl> {
    std::string dir;  // the spool
    mutable std::mutex plan_mutex;
    std::shared_ptr<const Plan> current_plan;
    std::shared_ptr<const Plan> plan() const;  // for one step; a reload puts another in its place
    std::optional<Index> index;
    os::Fd lock, inotify, wake;

    std::mutex mutex;
    std::condition_variable work, all_idle;
    std::unordered_map<std::string, std::shared_ptr<ActiveMessage>> active;
    std::map<std::string, std::unique_ptr<Destination>> destinations;
    std::deque<Destination*> ready;   // have waiting groups and a free connection
    std::deque<std::string> arrived;  // names in new/
    std::deque<std::pair<Steady::time_point, std::shared_ptr<ActiveMessage>>> stuck;  // finish() failed
    unsigned idle_workers = 0, busy_workers = 0;
    bool stopping = false, rescan = false;
    std::atomic<bool> taking{false};
    std::vector<std::thread> workers;
    std::thread scheduler, closer;

    // engine.cpp: what is to be done
    Status prepare();
    Status scan();
    Status watch();
    void schedule();  // the scheduler's thread
    void read_inotify();
    void list_arrived();
    void take_arrived(const std::string& name);
    void take_named(const std::string& name);
    void set_aside(const std::string& path, const std::string& name, std::string_view why);
    void activate(const std::string& id, bool is_new);
    void close_idle();  // the closer's thread
    void wake_scheduler() noexcept;
    std::size_t room();

    // work.cpp: doing it
    void begin(const std::shared_ptr<ActiveMessage>& message);
    void enqueue_locked(const Route& route, Group group);
    void run_worker();
    // False where GROUP should wait for one of the destination's other connections.
    bool deliver(Destination& destination, Group& group, std::optional<IdleSession>& session);
    void open_failed(Destination& destination, const Group& group, const Opened& opened);
    std::string seal_of(ActiveMessage& message);
    void signing_failed(ActiveMessage& message, const Group& group, const Error& why);
    void group_done(const std::shared_ptr<ActiveMessage>& message);
    Result<std::string> signatures_of(ActiveMessage& message);
    smtp_client::Transaction transaction_for(const ActiveMessage& message, const Group& group, bool is_lmtp) const;

    // finish.cpp: recording it
    struct Attempt {
        std::size_t recipient;
        smtp_client::Verdict verdict;
        std::string peer, tls;
        bool dsn_relayed = false, is_lmtp = false;
        std::chrono::seconds least_wait{0}, most_wait{0};  // 0: by the schedule
    };
    void record(ActiveMessage& message, const std::vector<Attempt>& attempts);
    void postpone(ActiveMessage& message, const Group& group, const Opened& why, std::chrono::seconds wait);
    void finish(const std::shared_ptr<ActiveMessage>& message);
    Status write_out(ActiveMessage& message);
    Status notify(ActiveMessage& message);
    Status send_notice(ActiveMessage& message, const std::vector<DsnRecipient>& recipients, OutcomeKind mark);
    Result<std::string> id_of(const std::string& id_or_trace);
};

}  // namespace gk::queue
