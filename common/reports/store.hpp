// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/db/database.hpp"
#include "common/reports/model.hpp"

// reports.db: the reports that came in, and what became of those that go out. One thread; several programs at once.
namespace gk::reports {

std::string_view kind_name(Kind kind) noexcept;  // dmarc, tls

// A report that came in, as a list shows it.
struct Received {
    std::int64_t id = 0;
    Kind kind = Kind::Dmarc;
    std::string domain, organization, report_id;
    std::int64_t begin_s = 0, end_s = 0, received_s = 0;
    std::int64_t records = 0, messages = 0;  // for TLS: policies, sessions
};

struct Choice {
    std::string domain;        // it and what lies below; empty: all
    std::int64_t since_s = 0;  // reports whose period ends at or after
};

// What all reports together say of one source of a domain's mail.
struct SourceSum {
    std::string domain, header_from, source_ip;
    std::int64_t messages = 0, passed = 0;  // passed: DKIM or SPF, aligned
    std::int64_t dkim = 0, spf = 0;         // aligned
    std::int64_t none = 0, quarantine = 0, reject = 0, overridden = 0;
    std::int64_t reports = 0;
    std::string names;  // whose signatures and envelopes were seen: "a.test/s1, bounce.esp.test"
};

struct TlsSum {
    std::string domain, policy_type;
    std::int64_t successes = 0, failures = 0, reports = 0;
};
struct TlsFailureSum {
    std::string domain, policy_type, result, receiving_mx, reason_code;
    std::int64_t sessions = 0;
};

// One report to one address. It goes through the states in this order, the last three of which are final.
enum class SendState {
    Composing,  // its file may be in the outbox, whole or not
    Staged,     // its file is whole; where the outbox has it no more, it is in the spool
    Retry,      // for now it could not be sent
    Sent,
    Skipped,  // it may not or need not be sent
    GaveUp,
};
std::string_view state_name(SendState state) noexcept;
constexpr bool is_final(SendState state) noexcept { return state >= SendState::Sent; }

struct Outgoing {
    Kind kind = Kind::Dmarc;
    std::int64_t day = 0;
    std::string domain, destination;
    std::string report_id, queue_id;
    SendState state = SendState::Composing;
    std::string detail;  // why, for people
    std::int64_t changed_s = 0, messages = 0;
};

class Store {
public:
    // PATH's directory is made where missing. READ_ONLY: NotFound where there is no database.
    static Result<Store> open(const std::string& path, bool read_only = false);

    // A DMARC report, record by record: begin, add for each, finish. Nothing is kept without finish, which says whether
    // the report is new; one with the same reporter and id is not stored again.
    Status begin_aggregate(std::int64_t now_s);
    Status add(const AggregateRecord& record);
    Result<bool> finish_aggregate(const AggregateHead& head);
    void abandon();
    Result<bool> add(const TlsReport& report, std::int64_t now_s);

    Status list(const Choice& choice, std::optional<Kind> kind, const std::function<void(const Received&)>& each);
    Status sources(const Choice& choice, const std::function<void(const SourceSum&)>& each);  // most failures first
    Status tls_sums(const Choice& choice, const std::function<void(const TlsSum&)>& each);
    Status tls_failures(const Choice& choice, const std::function<void(const TlsFailureSum&)>& each);
    Result<std::optional<TlsReport>> tls_report(std::int64_t id);
    // Reports whose period ended before; how many went.
    Result<std::int64_t> remove_received_before(std::int64_t before_s);

    // Messages of a mailbox that were looked through already, by name.
    Result<bool> was_seen(std::string_view mailbox, std::string_view name);
    Status put_seen(std::string_view mailbox, std::string_view name);

    Result<std::optional<Outgoing>> find_outgoing(Kind kind, std::int64_t day, std::string_view domain,
                                                  std::string_view destination);
    Status put_outgoing(const Outgoing& outgoing);  // durable on return
    Status list_outgoing(std::optional<Kind> kind, const std::function<void(const Outgoing&)>& each);  // newest first
    Status remove_outgoing_before(std::int64_t day);

private:
    Store() = default;
    db::Database database_;
    std::optional<db::Transaction> writing_;
    std::int64_t report_ = 0, records_ = 0, messages_ = 0;
};

}  // namespace gk::reports
