// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/db/database.hpp"
#include "common/message/delivery_report.hpp"

// What our accounts sent, for a while, and what came back of it. sent.db beside queue.db: without it reports are told
// of, but tied to nothing.
namespace gk::queue {

// A message of ACCOUNT that other servers took over.
struct Sent {
    std::string queue, trace, account, message_id;  // "<1@a.test>"
    std::vector<std::string> recipients;            // whom they took it for
    TimePoint at{};
};

// What a report said of one recipient.
struct Bounce {
    std::string queue, trace;  // of the message; empty: nothing that was sent is known to fit
    std::string account;       // whose mailbox the report came to
    std::string recipient, action, status, text, reporting_mta, message_id;
    TimePoint at{};
};

class SentLog {
public:
    static Result<SentLog> open(const std::string& path);

    Status add(const Sent& sent);
    // Ties REPORT, which came to ACCOUNT, to a message that ACCOUNT sent: by the queue id that went along as ENVID,
    // else by the Message-ID. What is tied is kept.
    Result<std::vector<Bounce>> take(const std::string& account, const message::DeliveryReport& report, TimePoint at);
    Status list(const std::function<void(const Bounce&)>& each);  // the latest first
    // What is older than BEFORE, and the oldest beyond MOST.
    Status forget(TimePoint before, std::uint64_t most);

private:
    SentLog() = default;
    std::unique_ptr<std::mutex> mutex_;
    db::Database db_;
};

// Tells the daemon at SOCKET_PATH that REPORT came to ACCOUNT. False: it is about nothing that ACCOUNT sent.
Result<bool> tell_of_report(const std::string& socket_path, const std::string& account,
                            const message::DeliveryReport& report);

}  // namespace gk::queue
