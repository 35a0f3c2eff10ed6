// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"
#include "common/mailauth/dns_source.hpp"
#include "common/policy/lists.hpp"
#include "common/policy/rates.hpp"
#include "common/policy/state.hpp"

// The gate before a message: what a client's address, manners, name, sender and recipient say. Each check is a verdict
// with a score; one sum decides. The content has its own gate (mailauth/gate).
namespace gk::policy {

struct Verdict {
    std::string check;  // "dnsbl", "rdns", "helo", "pregreet", "protocol", "list", "honeypot", "rate", "greylist"
    std::string result;
    int score = 0;
    std::string reason;
};

// A list in DNS: which answers count how much (negative: an allow list).
struct DnsList {
    struct Range {
        std::uint32_t from = 0, to = 0;
        int score = 0;
    };
    std::string zone;
    std::vector<Range> ranges;
    // "3" (any 127.0.0.0/8), or "127.0.0.2=3 127.0.0.10-11=1": an address, or a span of its last octet.
    static Result<DnsList> parse(const std::string& zone, std::string_view text);
};

struct Options {
    enum class Mode { Off, Observe, Enforce } mode = Mode::Enforce;
    int reject_score = 5, greylist_score = 0;
    bool greylist = false;
    std::vector<DnsList> dns_lists;
    int score_no_name = 0, score_wrong_name = 0, score_helo = 0, score_pregreet = 0, score_protocol = 0;
    std::string hostname;
    std::vector<std::string> honeypots;  // canonical addresses
    std::int64_t honeypot_block_s = 86400;
    std::int64_t address_recipients = 0, network_recipients = 0;  // an hour; 0: any number
    std::int64_t pregreet_wait_ms = 0;
    std::int64_t dns_time_ms = 5000;
    StateLimits state;
    bool wants_dns() const noexcept;
    static Result<std::shared_ptr<const Options>> from(const config::Config& config, const std::string& hostname);
};

// What is known when a recipient is named.
struct Facts {
    std::string ip, helo, sender, recipient;  // SENDER empty for <>
    bool pregreet = false;                    // it spoke before its turn
    std::size_t errors = 0;                   // refused or malformed commands of the connection so far
    std::int64_t now_s = 0;
};

// What DNS says of a client, once a connection. DNS gets a deadline; lists that do not answer in time say nothing.
std::vector<Verdict> ask_dns(const Options& options, std::string_view ip, mailauth::DnsSource& dns);
// Of that answer of ZONE alone; nothing where it counts for nothing.
std::optional<Verdict> judge_answer(const DnsList& list, const std::vector<std::string>& answers);
// "2.0.0.127.zone" (RFC 5782, 2.1 and 2.4).
std::string question_for(std::string_view ip, std::string_view zone);

struct Decision {
    enum class Action { Accept, Defer, Reject } action = Action::Accept;
    int score = 0;
    int code = 250;
    std::string enhanced, reply;    // of a refusal
    std::vector<Verdict> verdicts;  // all that were reached, in order
    std::string reasons() const;    // in one line
};
std::string_view action_name(Decision::Action action) noexcept;

// CLIENT: ask_dns's. Changes STATE and RATES as it goes: what is greylisted begins to wait.
Decision judge(const Options& options, const Lists& lists, State& state, Rates& rates, const Facts& facts,
               const std::vector<Verdict>& client);

// 192.0.2.0/24 or 2001:db8::/64: what belongs together. The address itself where it is none.
std::string network_of(std::string_view ip);

}  // namespace gk::policy
