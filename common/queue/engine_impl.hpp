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

#include "common/queue/admission.hpp"
#include "common/queue/connector.hpp"
#include "common/queue/dsn.hpp"
#include "common/queue/engine.hpp"
#include "common/queue/forms.hpp"
#include "common/queue/index.hpp"
#include "common/queue/routes.hpp"
#include "common/queue/sent.hpp"
#include "common/queue/spool_file.hpp"
#include "common/queue/state.hpp"
#include "common/queue/suppression.hpp"
#include "common/queue/turns.hpp"

namespace gk::queue {

using Steady = std::chrono::steady_clock;

// Messages in memory at a time; the others wait on disk.
constexpr std::size_t kMaxActive = 2000;

// A message under way. MUTEX guards all but ID, PATH, TRACE_ID, TICKET, GROUPS_LEFT (which Impl::mutex guards) and
// FORMS.
struct ActiveMessage {
    std::mutex mutex;
    std::string id, path, trace_id;
    SpoolFile file;
    MessageState state;
    std::vector<Outcome> unwritten;  // happened, but is not on disk yet
    std::vector<std::string> dsns;   // that may leave dsn/ once what is unwritten is on disk
    bool deleted = false;
    bool left = false;     // finish() is through with it: who looks for it must look again
    bool changed = false;  // by command, in the file: it is read again before the next attempt
    bool needs_smtputf8 = false;
    tlspolicy::Wish wish = tlspolicy::Wish::None;
    std::string message_id;   // of an account's message; "<1@a.test>"
    bool is_indexed = false;  // has a row in the index
    bool is_forced = false;   // to be tried now, whatever its next attempt says
    Admission::Ticket ticket;
    std::size_t groups_left = 0;
    Forms forms;
    const std::string& trace() const noexcept { return trace_id; }
    bool may_begin() const noexcept { return !deleted && !changed && !state.held; }
    const std::string& sender() const noexcept { return file.envelope().reverse_path; }
};

// Recipients of one message that go the same way.
struct Group {
    std::shared_ptr<ActiveMessage> message;
    std::vector<std::size_t> recipients;
    std::vector<std::string> domains;  // of theirs
};

struct IdleSession {
    std::unique_ptr<smtp_client::Session> session;
    std::string peer, tls;  // as in Opened
    unsigned messages = 0;
    Steady::time_point since;
};

struct Destination {
    Route route;
    Turns<Group> waiting;  // by sender
    std::vector<IdleSession> idle;
    unsigned running = 0;
    DestinationLimits most;             // as configured
    unsigned limit = 2;                 // sessions at a time: grows with success, falls with failures
    unsigned credit = 0;                // successes that count towards the next step of LIMIT
    bool was_cut = false;               // LIMIT fell once: it grows more slowly since
    double tokens = 1;                  // messages that may be sent now, where there is a rate
    Steady::time_point tokens_at{};     // when that was so
    unsigned failures = 0;              // in a row, of opening a session
    unsigned refusals = 0;              // in a row, of the peer to take anything from us now
    Steady::time_point down_until{};    // until then nothing is tried
    Steady::time_point last_success{};  // of a transaction
    Opened last_failure;
    bool is_ready = false;  // in Impl::ready_known or ready_unknown

    // It answers: a worker that it gets will not sit there for nothing.
    bool is_known() const noexcept;
    // A message may be sent now by the rate; takes the place of one.
    bool has_token() noexcept;
    // How things stand, and until when nothing is sent: "up", "down" (nobody answers), "throttled" (it wants less from
    // us), "paced" (our own rate).
    struct Stands {
        std::string_view name;
        Steady::time_point until{};
    };
    Stands state() noexcept;
    void grow() noexcept;
    void cut(unsigned to) noexcept;
};

// Of a recipient whose destination is drained: nothing was tried, and nothing is recorded. Where ALL is drained nothing
// is taken up, whatever is due.
void wait_drained(RecipientState& recipient, bool all);

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
    std::optional<Index> index;                // never called with MUTEX held
    std::optional<SentLog> sent;
    os::Fd lock, inotify, wake;

    std::mutex mutex;
    std::condition_variable work, closing, all_idle;
    std::unordered_map<std::string, std::shared_ptr<ActiveMessage>> active;
    Admission admission{kMaxActive};
    std::map<std::string, std::unique_ptr<Destination>> destinations;
    // Have waiting groups and a free connection; those that are known to answer, and the others.
    std::deque<Destination*> ready_known, ready_unknown;
    bool unknown_turn = false;
    std::deque<std::pair<Steady::time_point, std::shared_ptr<ActiveMessage>>> stuck;  // finish() failed
    unsigned idle_workers = 0, busy_workers = 0, opening_workers = 0;
    bool stopping = false;
    std::set<std::string, std::less<>> claimed;  // ids that one thread takes into `active`, or changes outside of it
    std::condition_variable unclaimed;
    Drained drained;
    std::mutex drain_mutex;  // one change at a time
    std::mutex suppressions_mutex;
    std::unique_ptr<Suppressions> suppressed_db;  // opened by the first who asks
    std::vector<std::thread> workers;
    std::thread scheduler, closer, reconciler, syncer;

    // The scheduler's own.
    std::deque<std::string> arrived;  // names in new/ that nobody looked at
    std::deque<std::string> later;    // names in new/ whose destination has enough in memory
    bool rescan = false;
    std::atomic<bool> taking{false};
    std::atomic<std::size_t> wake_below{0};  // wake the scheduler when fewer than that are in memory

    // Between the reconciler and the scheduler.
    std::mutex unknown_mutex;
    std::condition_variable unknown_taken;
    std::deque<std::string> unknown;  // files in active/ without a row
    std::atomic<bool> reconciling{false};

    // Names were removed from active/ that a directory sync has not made durable.
    std::mutex sync_mutex;
    std::condition_variable sync_wanted;
    bool unsynced = false, sync_stopping = false;

    // While it lives, nobody else takes the message ID over or changes its file, unless it is in `active` already.
    class Claim {
    public:
        Claim(Impl& impl, const std::string& id);
        Claim(const Claim&) = delete;
        ~Claim();

    private:
        Impl& impl_;
        std::string id_;
    };

    // engine.cpp: the threads
    Status prepare();
    void schedule();  // the scheduler's thread
    void retry_stuck();
    int wait_ms();
    void close_idle();  // the closer's thread
    void sync_removals();
    void wake_scheduler() noexcept;
    void stop();
    void reopen();  // forgets that destinations were away

    // intake.cpp: from the spool into memory
    Status watch();
    void read_inotify();
    void list_arrived();
    void take_arrived();
    void take_due();
    bool take_named(const std::string& name);  // false: not now
    void set_aside(const std::string& path, const std::string& name, std::string_view why);
    void activate(const std::string& id, bool is_forced);  // the caller has claimed it
    void activate_file(const std::string& id, SpoolFile file, bool is_new, bool is_forced);
    Summary row_of(const SpoolFile& file, const MessageState& state) const;
    Status put_row(const SpoolFile& file, const MessageState& state);

    // reconcile.cpp: what the index does not know
    void reconcile();  // the reconciler's thread
    void adopt_unknown();

    // work.cpp: to a worker
    void begin(const std::shared_ptr<ActiveMessage>& message);
    void enqueue_locked(const Route& route, Group group);
    void make_ready_locked(Destination& destination, bool by_worker = false);
    void start_worker_locked();
    Destination* next_ready_locked();
    void run_worker();

    // deliver.cpp: doing it
    // False where GROUP should wait for one of the destination's other connections.
    bool deliver(Destination& destination, Group& group, std::optional<IdleSession>& session);
    void open_failed(Destination& destination, const Group& group, const Opened& opened);
    void throttled(Destination& destination, const Group& group, const smtp_client::Verdict& why,
                   const std::string& peer);
    void succeeded(Destination& destination, const Group& group);
    void close_lanes(const Group& group, std::chrono::seconds wait);
    std::string seal_of(ActiveMessage& message, Content& content);
    void signing_failed(ActiveMessage& message, const Group& group, const Error& why);
    void not_prepared(ActiveMessage& message, const Group& group, const Error& why);
    void group_done(const std::shared_ptr<ActiveMessage>& message);
    Result<std::string> signatures_of(ActiveMessage& message, Content& content);
    smtp_client::Transaction transaction_for(const ActiveMessage& message, const Group& group, bool is_lmtp) const;

    // finish.cpp: recording it
    struct Attempt {
        std::size_t recipient;
        smtp_client::Verdict verdict;
        std::string peer, tls;
        bool dsn_relayed = false, is_lmtp = false;
        std::chrono::seconds most_wait{0};           // 0: by the schedule
        std::optional<RetryClass> retry_class = {};  // nothing: by the verdict
    };
    void record(ActiveMessage& message, const std::vector<Attempt>& attempts);
    void postpone(ActiveMessage& message, const Group& group, const Opened& why, std::chrono::seconds wait);
    void finish(const std::shared_ptr<ActiveMessage>& message);
    Status settle(ActiveMessage& message);
    Status remove_file(ActiveMessage& message);
    Status write_out(ActiveMessage& message);
    Status notify(ActiveMessage& message);
    Status send_notice(ActiveMessage& message, const std::vector<DsnRecipient>& recipients, OutcomeKind mark);

    // engine_access.cpp: what a person asks
    Result<std::string> id_of(const std::string& id_or_trace);
    void remember(const ActiveMessage& message, const std::vector<Attempt>& attempts);
    void forget_sent();
    bool is_under_way(const message::DeliveryReport& report);
    Status change_active(ActiveMessage& message, const Command& command);
    Status change_waiting(const std::string& id, const Command& command);
    bool is_drained(std::string_view domain);  // an empty one: everything
    bool is_drained(const ActiveMessage& message, const Group& group);
    // Why nothing is sent to ADDRESS for the bulk sender ACCOUNT, or nothing.
    std::optional<std::string> suppressed_because(const std::string& account, const std::string& address);
    void suppress(const std::string& account, const std::string& address, const Outcome& failure);
    Suppressions* suppressions();  // null where they cannot be opened, which is in the log
    Result<Route> route_of(std::string_view address, const MessageState& state, tlspolicy::Wish wish) const;
};

}  // namespace gk::queue
