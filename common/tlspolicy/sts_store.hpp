// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/dns/resolver.hpp"
#include "common/tlspolicy/sts_cache.hpp"
#include "common/tlspolicy/sts_fetch.hpp"

namespace gk::tlspolicy {

// The MTA-STS policy of a domain as it stands now.
struct StsView {
    enum class Source { None, Cached, Fetched };
    Source source = Source::None;
    std::optional<StsEntry> entry;  // valid now; mode none counts as no policy, and has no entry
    // Why there is no policy, or why the one cached could not be renewed. Success: the domain has none, or all is well.
    ResultType problem = ResultType::Success;
    std::string text;
    bool has_record = false;          // the TXT record is there
    std::optional<StsEntry> expired;  // a cached one that counts no more
};

// Finds policies: the TXT record by DNS, the policy over HTTPS or from the cache (RFC 8461, 3.3, 5.1). A cached policy
// counts until it ends, whatever DNS and HTTPS say meanwhile. Any thread.
class StsStore {
public:
    using Fetch = std::function<Fetched(const std::string& domain, const std::vector<std::string>& ips)>;
    struct Options {
        std::string cache_dir;
        std::size_t most = 10'000;
        bool may_store = true;  // false: looks at the cache, and leaves it as it is
    };
    StsStore(Options options, dns::Source& source, Fetch fetch);
    ~StsStore();

    // Waits for HTTPS where the policy is not known yet, or another one is announced; else answers at once, and lets a
    // thread renew what is past half of its time, or a day old.
    StsView find(const std::string& domain);
    // As find(), and asks HTTPS in any case.
    StsView renew(const std::string& domain);
    // Lets the thread renew what is due; for now and then. Reads the whole cache, waits for nobody.
    void renew_old();
    // For tests: waits until nothing is being renewed.
    void wait();

private:
    struct Failure {
        std::chrono::steady_clock::time_point until;
        std::string id, text;
        ResultType problem;
    };
    StsView look(const std::string& domain, bool must_fetch);
    bool take_kept(StsView& view, const std::string& domain, const std::string& id);
    void fetch_into(StsView& view, const std::string& domain, const std::string& id, bool must_fetch);
    void enqueue(const std::string& domain);
    void run();

    Options options_;
    dns::Source& source_;
    Fetch fetch_;
    StsCache cache_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, Failure> failures_;  // of fetching, not to be tried again at once (RFC 8461, 3.3)
    std::set<std::string> fetching_;           // by some thread
    std::deque<std::string> wanted_;
    std::set<std::string> queued_;
    std::thread worker_;
    bool stopping_ = false;
};

}  // namespace gk::tlspolicy
