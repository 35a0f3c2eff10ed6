// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/stream.hpp"
#include "common/smtp_client/reply.hpp"
#include "common/tls/tls.hpp"

// The client's side of SMTP (RFC 5321) and LMTP (RFC 2033): blocking, one thread a session.
namespace gk::smtp_client {

using std::chrono::milliseconds;

enum class TlsPolicy {
    Never,
    Opportunistic,  // RFC 7435: STARTTLS where offered; when the handshake fails, again in plain text
    Required,       // whatever the certificate
    Verified,       // by a certificate that holds (tls::Info::verified)
};

// RFC 5321, 4.5.3.2.
struct Timeouts {
    milliseconds command{300'000};
    milliseconds data_block{180'000};  // for the peer to take a piece of the message
    milliseconds data_end{600'000};
    milliseconds handshake{60'000};
    milliseconds reuse{20'000};  // for the RSET that begins another message: a kept session that is silent is gone
    milliseconds fresh{1'000};   // since the last message: a session that took one so lately needs no RSET
    milliseconds quit{2'000};    // nobody waits for a goodbye
};

struct Credentials {
    std::string user, password;
};

struct Options {
    std::string helo = "localhost";
    bool lmtp = false;
    TlsPolicy tls = TlsPolicy::Opportunistic;
    bool implicit_tls = false;                        // port 465: TLS from the first byte
    std::shared_ptr<tls::ClientContext> tls_context;  // without one there is no TLS
    tls::Peer peer;                                   // for SNI, and what the certificate is held against
    std::optional<Credentials> credentials;
    Timeouts timeouts = {};
};

// What the server said to EHLO or LHLO.
struct Capabilities {
    bool esmtp = false, pipelining = false, eight_bit = false, smtputf8 = false, starttls = false, dsn = false,
         enhanced = false, chunking = false, binary = false, size_given = false, trace = false, requiretls = false;
    std::uint64_t size = 0;  // 0: no limit said
    // LIMITS (RFC 9422, 4); 0: not said.
    std::uint64_t messages = 0;           // MAILMAX: transactions in a session
    std::uint64_t recipients = 0;         // RCPTMAX: recipients in a transaction
    std::uint64_t recipient_domains = 0;  // RCPTDOMAINMAX: domains in a transaction
    std::vector<std::string> auth;        // mechanisms, upper case
};
Capabilities parse_capabilities(const Reply& ehlo);

struct Recipient {
    std::string address;        // "ann@a.test"
    std::string orcpt, notify;  // DSN parameters as in SMTP; empty for none
};

struct Transaction {
    std::string reverse_path;           // empty: null
    std::vector<Recipient> recipients;  // 1 or more
    std::string ret, envid;             // "FULL", "HDRS"; xtext
    bool eight_bit = false, binary = false;
    bool smtputf8 = false;     // the header needs it (RFC 6532); addresses are looked at
    bool require_tls = false;  // REQUIRETLS (RFC 8689), where the server has it
    std::uint64_t size = 0;    // of the message
    std::string trace_id;      // for a server that knows XGKTRACE
};

// COUNT message bytes from OFFSET on, fewer only at the end.
using Source = std::function<Result<std::string>(std::uint64_t offset, std::size_t count)>;

struct Verdict {
    enum class Kind { Delivered, Deferred, Failed };
    Kind kind = Kind::Deferred;
    std::string text;        // the reply on one line, or what happened to the connection
    std::string status;      // enhanced status code
    bool from_peer = false;  // TEXT is a reply
};

struct Outcome {
    std::vector<Verdict> verdicts;  // one for each recipient, in order
    // Recipients of whom there is no verdict: the server takes no more in one transaction (RFC 9422, or 452 at RCPT:
    // RFC 5321, 4.5.3.1.10). They want another one, now; each call settles one recipient at least.
    std::vector<std::size_t> untried;
    bool reusable = false;     // the session may carry another transaction
    bool dsn_relayed = false;  // the peer took over the DSN parameters
    bool stale = false;        // a reused session was dead already: nothing was tried, open another
};

// How far TLS came in opening a session, whether that succeeded or not.
struct TlsTrace {
    enum class Problem { None, NotOffered, Refused, Handshake, Certificate };
    Problem problem = Problem::None;
    bool greeted = false;  // the server got as far as its answer to EHLO
    std::string helo;      // what the server calls itself there
    std::string text;      // of the problem
    tls::Info info;        // where a handshake succeeded
    std::vector<std::string> chain;
};

class Session {
public:
    using Connect = std::function<Result<std::unique_ptr<net::SocketStream>>()>;

    // Connects, greets, upgrades to TLS and logs in. CONNECT is called once more when TLS fails and may be left
    // out. Errors: Temporary, Timeout, Closed; Permanent where the server refuses for good (its reply as text);
    // Denied for refused credentials.
    static Result<std::unique_ptr<Session>> open(const Connect& connect, const Options& options,
                                                 TlsTrace* trace = nullptr);
    ~Session();

    // One message to the given recipients. Never fails: what goes wrong is in the verdicts.
    Outcome send(const Transaction& transaction, const Source& source);
    // Says QUIT without waiting long.
    void quit() noexcept;

    const Capabilities& capabilities() const noexcept { return capabilities_; }
    const Reply& greeting() const noexcept { return greeting_; }
    // "TLSv1.3 TLS_AES_256_GCM_SHA384", or empty for plain text.
    std::string tls_text() const;
    // Why an opportunistic session ended up in plain text although TLS was offered; empty where it did not.
    const std::string& tls_failure() const noexcept { return tls_failure_; }

private:
    explicit Session(const Options& options) : options_(options) {}
    Status start(const Connect& connect, bool allow_tls);
    Status hello();
    Status start_tls();
    Status handshake();
    Status authenticate();
    Status write(std::string_view bytes, milliseconds timeout);
    Result<Reply> read_reply(milliseconds timeout);
    Result<Reply> command(std::string_view line, milliseconds timeout);
    std::string mail_command(const Transaction& transaction) const;
    std::string rcpt_command(const Recipient& recipient, bool utf8) const;
    std::optional<Verdict> refuse_beforehand(const Transaction& transaction) const;
    std::vector<std::size_t> choose_recipients(const Transaction& transaction, Outcome& outcome) const;
    // What the envelope came to: who is accepted, and the answer to a DATA that went along with it.
    struct Accepted {
        std::vector<std::size_t> recipients;
        std::optional<Reply> data;
    };
    Status envelope(const Transaction& transaction, const std::vector<std::size_t>& chosen, Outcome& outcome,
                    Accepted& accepted);
    Status content(const Transaction& transaction, const Source& source, Outcome& outcome, const Accepted& accepted);
    Status take_back(const Reply& data);
    Status send_data(const Source& source);
    Result<std::optional<Reply>> send_chunks(const Source& source, bool binary);
    net::Stream& stream() noexcept;

    Options options_;
    std::unique_ptr<net::SocketStream> plain_;
    std::unique_ptr<tls::Stream> secure_;
    Capabilities capabilities_;
    Reply greeting_;
    ReplyParser parser_;
    std::string unread_, tls_failure_;
    TlsTrace trace_;
    std::uint64_t transactions_ = 0;
    std::chrono::steady_clock::time_point settled_{};  // the last transaction ended well
    bool used_ = false, broken_ = false;
};

// Message bytes as DATA wants them: a dot at a line's begin is doubled (RFC 5321, 4.5.2), and since bare CR and LF
// must not be sent (2.3.8), a bare LF becomes CRLF and a bare CR a blank. Keeps state between pieces. For BDAT the dots
// stay as they are.
class DotStuffer {
public:
    enum class For { Data, Bdat };
    explicit DotStuffer(For which = For::Data) noexcept : dots_(which == For::Data) {}
    void append(std::string& out, std::string_view piece);
    // CRLF where the last line lacks it, and the final dot.
    void finish(std::string& out);

private:
    bool dots_;
    bool line_start_ = true;
    bool pending_cr_ = false;
};

}  // namespace gk::smtp_client
