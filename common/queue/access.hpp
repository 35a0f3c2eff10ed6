// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/net/stream.hpp"
#include "common/queue/envelope.hpp"
#include "common/queue/index.hpp"
#include "common/queue/operate.hpp"
#include "common/queue/sent.hpp"
#include "common/queue/spool_file.hpp"
#include "common/queue/stats.hpp"

// What a person may ask of the queue, and do to it: through the running daemon's socket, or on the files.
namespace gk::queue {

struct MessageState;

class Access {
public:
    virtual ~Access() = default;
    virtual Status list(const Filter& filter, const std::function<void(const Summary&)>& each) = 0;
    // ID is a queue id or a trace id; NotFound where the queue has no such message.
    virtual Result<Detail> show(const std::string& id) = 0;
    virtual Result<Facts> explain(const std::string& id) = 0;
    // Up to COUNT bytes of the message from OFFSET on; empty at the end.
    virtual Result<std::string> read(const std::string& id, std::uint64_t offset, std::size_t count) = 0;
    // Durable on return. What is being sent meanwhile goes its way; the command is about what is not sent yet.
    virtual Status change(const Command& command, const std::string& id) = 0;
    // Another time for a message that is scheduled; BadInput where it is not, or is due this moment. Durable on return.
    virtual Status schedule(const std::string& id, TimePoint until) = 0;
    // All that wait, and are neither held nor scheduled, are tried now. The count of messages in the queue.
    virtual Result<std::uint64_t> flush() = 0;
    virtual Result<std::vector<Stat>> stats(By by) = 0;
    // What is drained, after CHANGE where there is one, which is durable then.
    virtual Result<Drained> drain(const std::optional<DrainChange>& change) = 0;
    // A delivery status notification that came to ACCOUNT. False: about nothing that ACCOUNT sent.
    virtual Result<bool> take_report(const std::string& account, const message::DeliveryReport& report) = 0;
    // What came back of mail that accounts sent, the latest first.
    virtual Status bounces(const std::function<void(const Bounce&)>& each) = 0;
};

// The daemon's socket at SOCKET_PATH where one listens, else the files below SPOOL_DIR, locked meanwhile.
Result<std::unique_ptr<Access>> open_access(const std::string& spool_dir, const std::string& socket_path);

// The lock of who works on the spool: the daemon for as long as it runs. Temporary where another has it.
Result<os::Fd> lock_spool(const std::string& spool_dir);

// One connection of the control socket: requests and answers are JSON objects, one a line. Ends with the client.
//   {"op":"list","sender":"","recipient":"","status":"","limit":0,…}  answered by {"message":{…}} …, {"ok":true}
//   {"op":"show|explain","id":"…"}   {"ok":true,"envelope":"…","outcomes":"…","size":1,"status":"…",…}
//   {"op":"read","id":"…","offset":0}   {"ok":true,"bytes":"base64"}
//   {"op":"hold|release|retry|delete|bounce|redirect|reroute","id":"…","to":[],"via":"","reason":""}   {"ok":true}
//   {"op":"flush"}   {"ok":true,"count":1}
//   {"op":"stats","by":"destination"}   {"ok":true,"stats":[{…}]}
//   {"op":"drain","set":"on|off","domain":""}   {"ok":true,"drained":["*"]}
//   {"op":"schedule","id":"…","until":"2027-01-31T08:00:00Z"}
//   {"op":"bounces"}  answered by {"bounce":{…}} …, {"ok":true}
//   {"op":"report","account":"…","envid":"…","message_id":"…","mta":"…","recipients":[{"original":"…","final":"…",
//    "action":"failed","status":"5.1.1","text":"…"} …]}                         {"ok":true,"known":true}
//   {"ok":false,"code":"not-found","text":"…"}
void serve_control(net::Stream& client, Access& access);

// Whether ENVELOPE's message, in STATE, can still be given another time: a moment's grace, so that it does not leave
// meanwhile.
Status check_scheduled(const Envelope& envelope, const MessageState& state);

Summary summarize(const SpoolFile& file, const MessageState& state);

}  // namespace gk::queue
