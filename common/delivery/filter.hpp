// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/config.hpp"
#include "common/delivery/memory.hpp"
#include "common/sieve_scripts/cache.hpp"
#include "common/store/account.hpp"

// Sieve at delivery: which scripts run for an account, and what they decide. Acting on it is delivery's.
namespace gk::delivery {

struct FilterOptions {
    std::string before, after, global, host_name, delimiter;
    sieve::Limits limits;
    sieve::Extensions extensions;
    sieve_scripts::Limits scripts;
    std::size_t cached = 1000, remembered = 10'000;
    static FilterOptions from(const config::Config& config);
};

// One message for one account.
struct FilterInput {
    std::string account, home, own_name;
    std::string reverse_path, recipient, original_recipient;
    std::string default_mailbox = "INBOX";  // where keep files
    std::string_view message;               // as it would be filed
    store::Account* store = nullptr;        // null: nothing is known of its mailboxes
    std::int64_t now_s = 0;
    std::optional<double> spam_percent{};
    std::optional<int> virus_value{};
};

struct Filtered {
    sieve::Outcome outcome;
    std::string scripts;              // the names of those that ran, with ", "
    std::vector<std::string> errors;  // "NAME:3:7: text": scripts that did not compile, and what failed in one that ran
};

// Thread-safe.
class Filter {
public:
    explicit Filter(FilterOptions options);

    // A script to run; none for most accounts, which costs a readlink(2).
    struct Chosen {
        std::string name, path;
    };
    Result<std::vector<Chosen>> scripts_of(const std::string& home) const;
    // Nothing that is asked of MEMORY changes it. TRACE as in sieve::run.
    Filtered run(const std::vector<Chosen>& scripts, const FilterInput& input, Memory& memory,
                 const sieve::Trace& trace = {});

    const FilterOptions& options() const noexcept { return options_; }
    std::uint64_t compiled() const { return cache_.compiled(); }

private:
    FilterOptions options_;
    sieve_scripts::Cache cache_;
};

// A line into HOME/sieve.log, where the account's owner may read what went wrong: it is bounded, and not synced.
void note_for_owner(const std::string& home, std::string_view line);

}  // namespace gk::delivery
