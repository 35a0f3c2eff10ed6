// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/config/config.hpp"
#include "common/db/database.hpp"

namespace gk::auth {

// How much an account may submit, so that a stolen password cannot flood; 0: no limit.
struct SubmissionLimit {
    std::uint64_t messages_hour = 0, messages_day = 0, recipients_hour = 0, recipients_day = 0;
    bool any() const noexcept { return (messages_hour | messages_day | recipients_hour | recipients_day) != 0; }
    bool operator==(const SubmissionLimit&) const = default;
};

struct SubmissionLimits {
    SubmissionLimit usual;
    std::map<std::string, SubmissionLimit, std::less<>> own;  // of accounts, and of "@domain"

    // smtp.submission_…; Config for an override that cannot be read.
    static Result<SubmissionLimits> from(const config::Config& config);
    const SubmissionLimit& of(std::string_view account) const;
    bool any() const noexcept { return usual.any() || !own.empty(); }
};

// What accounts submitted in the last day, in auth.db, in slots of five minutes. Kept over restarts; a loss of power
// may cost the last seconds. Thread-safe.
class Submissions {
public:
    static Result<std::unique_ptr<Submissions>> open(const std::string& path);

    struct Use {
        std::uint64_t messages_hour = 0, messages_day = 0, recipients_hour = 0, recipients_day = 0;
    };
    // Counts so much more at AT_S, unless that were past LIMIT: then the reason, fit for the client, and nothing is
    // counted.
    Result<std::optional<std::string>> count(std::string_view account, std::uint64_t messages, std::uint64_t recipients,
                                             const SubmissionLimit& limit, std::int64_t at_s);
    Result<Use> use(std::string_view account, std::int64_t at_s);

private:
    std::mutex mutex_;
    db::Database db_;
};

}  // namespace gk::auth
