// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/net/stream.hpp"

// The client's side of LMTP (RFC 2033) over a UNIX socket: gk-smtpd and gk-queue hand messages to gk-deliver with it.
namespace gk::lmtp_client {

using std::chrono::milliseconds;

struct Reply {
    int code = 0;          // 250
    std::string enhanced;  // "2.1.5"; empty where the server gave none
    std::string text;      // without the enhanced code; lines joined by LF
    bool positive() const noexcept { return code >= 200 && code < 300; }
    bool transient() const noexcept { return code >= 400 && code < 500; }
    bool permanent() const noexcept { return code >= 500; }
};

struct Sender {
    std::string reverse_path;  // "ann@a.test" in SMTP's form, empty for the null reverse-path
    std::string trace_id;      // XGKTRACE, where the server knows it
    std::uint64_t size = 0;    // SIZE; 0 for unknown
    bool smtputf8 = false;
    std::string body;          // "", "7BIT", "8BITMIME" or "BINARYMIME"
    std::string ret, envid;    // DSN (RFC 3461), in SMTP's form (xtext); empty for none
    bool require_tls = false;  // REQUIRETLS, where the server knows it: what leaves from there stays under TLS
};

struct Recipient {
    std::string forward_path;   // "bob@b.test"
    std::string notify, orcpt;  // DSN, in SMTP's form; empty for none
};

// The message: pieces in memory, then a file's first FILE_SIZE bytes where FILE is not -1. Lines end with CRLF, no
// dot-stuffing.
struct Content {
    std::vector<std::string_view> pieces;
    int file = -1;
    std::uint64_t file_size = 0;
};

// One LMTP dialogue. Any error makes it useless: destroy it. One thread.
class Session {
public:
    // Connects, reads the greeting and says LHLO. TIMEOUT holds for every wait of the session: RFC 5321, 4.5.3.2.6
    // wants 10 minutes for the answer to the content, and one value saves setting it twice a message.
    static Result<std::unique_ptr<Session>> open(const std::string& socket_path, const std::string& hostname,
                                                 milliseconds timeout);
    // For tests and other transports: STREAM is connected, its greeting not yet read.
    static Result<std::unique_ptr<Session>> over(std::unique_ptr<net::Stream> stream, const std::string& hostname,
                                                 milliseconds timeout);

    // Remembers the sender; MAIL goes out with the first recipient (one round trip). An RSET is sent before it where
    // needed.
    void begin(Sender sender);
    // Asks for one recipient. A refused MAIL is the answer to every recipient then.
    Result<Reply> recipient(const Recipient& recipient);
    // Asks for many in one round trip; one answer for each.
    Result<std::vector<Reply>> recipients(const std::vector<Recipient>& recipients);
    // Sends the message to the recipients accepted since begin(), with BDAT where the server has it;
    // one answer for each of these, in order.
    Result<std::vector<Reply>> send(const Content& content);
    // Ends the transaction; sends nothing now.
    void reset() noexcept;
    void quit() noexcept;  // best effort

    std::size_t accepted() const noexcept { return accepted_; }

private:
    Session(std::unique_ptr<net::Stream> stream, milliseconds timeout);
    Status greet(const std::string& hostname);
    Result<Reply> read_reply();
    std::string mail_command() const;
    Status write_content(std::string_view head, const Content& content, bool stuff_dots);

    std::unique_ptr<net::Stream> stream_;
    net::LineReader reader_;
    milliseconds timeout_;
    Sender sender_;
    Reply mail_reply_;
    bool mail_sent_ = false, needs_reset_ = false;
    bool chunking_ = false, pipelining_ = false, trace_ = false, dsn_ = false, size_ = false, utf8_ = false,
         require_tls_ = false, eight_bit_ = false, binary_ = false;
    std::size_t accepted_ = 0;
};

// Idle sessions kept for the next message. Safe from any thread.
class Pool {
public:
    Pool(std::string socket_path, std::string hostname, milliseconds timeout, std::size_t keep_idle = 64);
    // An idle session, or a new one.
    Result<std::unique_ptr<Session>> take();
    Result<std::unique_ptr<Session>> take_new();  // where an idle one turned out to be dead
    // Gives back a session that had no error.
    void give(std::unique_ptr<Session> session);
    void clear();

private:
    std::string socket_path_, hostname_;
    milliseconds timeout_;
    std::size_t keep_idle_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Session>> idle_;
};

}  // namespace gk::lmtp_client
