// SPDX-License-Identifier: MIT
#include "common/tlspolicy/sts_store.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"

namespace gk::tlspolicy {
namespace {

using Steady = std::chrono::steady_clock;

// RFC 8461, 3.3: after a failure, not more often than every five minutes.
constexpr std::chrono::minutes kAfterFailure{5};
constexpr std::size_t kMostFailures = 10'000;
constexpr std::size_t kMostQueued = 1000;
constexpr std::chrono::hours kRenewAfter{24};

bool is_old(const StsEntry& entry, TimePoint at) {
    const auto age = at - entry.fetched;
    return age > kRenewAfter || age * 2 > entry.expires - entry.fetched;
}

}  // namespace

StsStore::StsStore(Options options, dns::Source& source, Fetch fetch)
    : options_(std::move(options)),
      source_(source),
      fetch_(std::move(fetch)),
      cache_(options_.cache_dir, options_.most) {}

StsStore::~StsStore() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (worker_.joinable()) worker_.join();
}

bool StsStore::take_kept(StsView& view, const std::string& domain, const std::string& id) {
    auto entry = cache_.find(domain);
    if (!entry || entry->id != id || !entry->is_valid(now())) return false;
    view.source = StsView::Source::Cached;
    view.entry = std::move(entry);
    view.expired.reset();
    return true;
}

// Asks HTTPS unless that failed just now; what comes takes the place of VIEW's entry.
void StsStore::fetch_into(StsView& view, const std::string& domain, const std::string& id, bool must_fetch) {
    {
        std::unique_lock lock(mutex_);
        // Many messages for a new domain cause one request.
        const bool was_fetched = fetching_.contains(domain);
        changed_.wait(lock, [&] { return !fetching_.contains(domain) || stopping_; });
        // Also one that ended between this thread's look into the cache and now.
        if ((was_fetched || !must_fetch) && take_kept(view, domain, id)) return;
        if (const auto failed = failures_.find(domain); failed != failures_.end()) {
            if (Steady::now() < failed->second.until && failed->second.id == id) {
                view.problem = failed->second.problem;
                view.text = failed->second.text;
                return;
            }
            failures_.erase(failed);
        }
        fetching_.insert(domain);
    }
    Fetched fetched;
    const std::string host = "mta-sts." + domain;
    if (const auto addresses = dns::find_addresses(source_, host); !addresses) fetched.text = addresses.error().text;
    else if (addresses->ips.empty()) fetched.text = fmt::format("{} has no address", host);
    else fetched = fetch_(domain, addresses->ips);
    if (fetched.result == ResultType::Success) {
        if (auto policy = parse_sts_policy(fetched.text)) {
            const TimePoint at = now();
            StsEntry entry{domain, id, at, at + std::chrono::seconds(policy->max_age_s), std::move(*policy)};
            // A cache that cannot be written is one that does not protect; this delivery has the policy.
            if (const auto stored = options_.may_store ? cache_.put(entry) : ok(); !stored)
                view.text = "the policy cannot be kept: " + stored.error().text;
            view.source = StsView::Source::Fetched;
            view.entry = std::move(entry);
            view.expired.reset();
        } else {
            view.problem = ResultType::StsPolicyInvalid;
            view.text = policy.error().text;
        }
    } else {
        view.problem = fetched.result;
        view.text = std::move(fetched.text);
    }
    const std::lock_guard lock(mutex_);
    fetching_.erase(domain);
    if (view.problem != ResultType::Success) {
        if (failures_.size() >= kMostFailures) failures_.erase(failures_.begin());
        failures_[domain] = {Steady::now() + kAfterFailure, id, view.text, view.problem};
    }
    changed_.notify_all();
}

StsView StsStore::look(const std::string& domain, bool must_fetch) {
    StsView view;
    if (auto cached = cache_.find(domain)) {
        if (cached->is_valid(now())) {
            view.source = StsView::Source::Cached;
            view.entry = std::move(cached);
        } else {
            view.expired = std::move(cached);
        }
    }
    const auto records = source_.txt("_mta-sts." + domain);
    if (!records) {
        // RFC 8461, 3.1: without an answer there is no policy; a cached one stays in force.
        view.text = records.error().text;
    } else {
        const auto id = parse_sts_record(records->records);
        view.has_record = id || id.error().code == Errc::BadInput;
        if (id) {
            const bool is_known = view.entry && view.entry->id == *id;
            if (must_fetch || !is_known) {
                fetch_into(view, domain, *id, must_fetch);
            } else if (is_old(*view.entry, now())) {
                enqueue(domain);
            }
        } else {
            view.text = id.error().text;
            if (view.has_record) view.problem = ResultType::StsPolicyInvalid;
        }
    }
    // RFC 8461, 3.2: mode none says that there is no policy (any more).
    if (view.entry && view.entry->policy.mode == StsMode::None) {
        view.entry.reset();
        view.text = "the policy's mode is none";
    }
    return view;
}

StsView StsStore::find(const std::string& domain) { return look(domain, false); }

StsView StsStore::renew(const std::string& domain) {
    {
        const std::lock_guard lock(mutex_);
        failures_.erase(domain);
    }
    return look(domain, true);
}

void StsStore::enqueue(const std::string& domain) {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queued_.size() >= kMostQueued || !queued_.insert(domain).second) return;
    wanted_.push_back(domain);
    if (!worker_.joinable()) worker_ = std::thread([this] { run(); });
    changed_.notify_all();
}

void StsStore::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [&] { return stopping_ || !wanted_.empty(); });
        if (stopping_) return;
        const std::string domain = std::move(wanted_.front());
        wanted_.pop_front();
        lock.unlock();
        (void)look(domain, true);
        lock.lock();
        queued_.erase(domain);
        changed_.notify_all();
    }
}

void StsStore::renew_old() {
    const auto entries = cache_.list();
    if (!entries) return;
    const TimePoint at = now();
    for (const auto& entry : *entries) {
        // What nobody has sent to since it ended need not be kept fresh for ever.
        if (!entry.is_valid(at)) {
            if (at - entry.expires > kRenewAfter && options_.may_store) (void)cache_.drop(entry.domain);
            continue;
        }
        if (is_old(entry, at)) enqueue(entry.domain);
    }
}

void StsStore::wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return queued_.empty() && fetching_.empty(); });
}

}  // namespace gk::tlspolicy
