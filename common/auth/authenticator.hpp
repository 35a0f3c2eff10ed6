// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/auth/credentials.hpp"
#include "common/auth/throttle.hpp"
#include "common/auth/tickets.hpp"
#include "common/auth/wire.hpp"
#include "common/config/config.hpp"

namespace gk::auth {

// The accounts there are, as far as logging in needs them. Thread-safe.
class Accounts {
public:
    virtual ~Accounts() = default;
    struct Known {
        std::string address;
        bool disabled = false;
        std::uint64_t quota_octets = 0, quota_messages = 0;  // 0: no limit
    };
    virtual Result<std::optional<Known>> find(std::string_view login) = 0;
    virtual Result<bool> may_send_as(std::string_view user, std::string_view address) = 0;
};

// An answer, and what the host owes to it.
struct Outcome {
    Reply reply;
    std::chrono::milliseconds delay{0};  // to wait before the reply is sent
    std::string login;                   // as far as known; for the event
    std::string how;                     // "main", "app:LABEL", "cached"; of a success
};

// Says yes or no to passwords; shared by all exchanges. Thread-safe. Calls block while they hash.
class Authenticator {
public:
    Authenticator(const config::Config& config, std::shared_ptr<Accounts> accounts,
                  std::shared_ptr<CredentialStore> credentials);
    // Takes over the settings of a new configuration; counts of failures, tickets and what was verified stay.
    void reconfigure(const config::Config& config);
    Reply redeem(const Redeem& request);
    Reply may_send_as(const Sender& request);
    Reply count(const Count& request);

private:
    friend class Exchange;
    // One login name with all there is to know about it; the same shape for names that do not exist.
    struct Subject {
        std::string key;  // canonical account, or the name as given in lower case
        std::optional<Accounts::Known> account;
        Credentials credentials;
    };
    Result<Subject> look_up(std::string_view login);
    bool locked(const Subject& subject, std::string_view ip);
    // Which of the subject's secrets PASSWORD is: -1 the main one, else an index of app_passwords; nothing: none.
    Result<std::optional<int>> match(const Subject& subject, const std::string& prepared, bool& from_cache);
    Outcome password(const Begin& begin, std::string_view login, std::string_view password);
    // The verdict once the secret is known to fit.
    Outcome accept(const Begin& begin, const Subject& subject, int which, std::string_view how);
    Outcome refuse(const Begin& begin, std::string_view key, FailCode code, std::string text,
                   std::string_view fingerprint = {});
    Outcome trouble(const Error& error, std::string_view login) const;
    void upgrade(const Subject& subject, std::string_view password);

    // At most as many hashes at a time as there are processors: more would only make all of them late.
    class Slot {
    public:
        explicit Slot(Authenticator& of);
        ~Slot();
        Slot(const Slot&) = delete;

    private:
        Authenticator& of_;
    };

    struct Policy {
        Hashing hashing;
        bool app_passwords_only = false, plaintext_without_tls = false;
        std::int64_t cache_s = 0;
        std::size_t remembered = 0;
        SubmissionLimits submissions;
    };
    static Policy policy_of(const config::Config& config);
    Policy policy() const;

    mutable std::mutex policy_mutex_;
    Policy policy_;
    const std::shared_ptr<Accounts> accounts_;
    const std::shared_ptr<CredentialStore> credentials_;
    Throttle throttle_;
    Tickets tickets_;
    const std::string cache_key_;  // random; never leaves memory

    std::mutex slots_mutex_;
    std::condition_variable slots_free_;
    unsigned slots_;

    struct Verified {
        std::string record;
        std::int64_t until_s;
    };  // RECORD: hash of the keys that fitted
    std::mutex cache_mutex_;
    std::unordered_map<std::string, Verified> cache_;
};

// One SASL exchange. One thread at a time; the Authenticator outlives it.
class Exchange {
public:
    Exchange(Authenticator& authenticator, Begin begin);
    Outcome start();
    Outcome respond(std::string_view bytes);

private:
    Outcome plain(std::string_view response);
    Outcome login(std::string_view response);
    Outcome scram(std::string_view message);
    Outcome malformed(std::string text) const;

    Authenticator& authenticator_;
    const Begin begin_;
    int step_ = 0;
    std::string login_;
    std::unique_ptr<ScramServer> scram_;
    Authenticator::Subject subject_;
};

}  // namespace gk::auth
