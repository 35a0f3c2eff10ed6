// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/mailauth/arc/trust.hpp"
#include "common/mailauth/arc/validate.hpp"
#include "common/mailauth/dkim/verify.hpp"
#include "common/mailauth/dmarc/evaluate.hpp"
#include "common/mailauth/gate/memo_source.hpp"
#include "common/mailauth/gate/options.hpp"
#include "common/mailauth/iprev.hpp"
#include "common/mailauth/spf/check.hpp"

namespace gk::mailauth::gate {

// What is known of a client whatever it sends; kept for the next message of its connection.
struct ClientFindings {
    IprevChecked iprev;
    spf::Checked helo;
    std::string of_helo;  // the name it gave
};

struct Facts {
    Ip ip;
    std::string helo;
    std::string mail_from;  // the reverse-path without brackets; empty for <>
    std::string receiver;   // our host name
    std::int64_t now_s = 0;
    unsigned sample = 0;  // 0 to 99, drawn at random: for pct= of DMARC
};

struct Findings {
    ClientFindings client;
    spf::Checked mail_from;
    std::vector<dkim::Verified> dkim;
    arc::Chain arc;
    std::optional<arc::TrustedResult> trusted;  // ARC's word for DMARC
    dmarc::Evaluation dmarc;
    dmarc::Facts dmarc_facts;       // that it rests on
    bool header_too_large = false;  // then its author is not known, nor its signatures
    unsigned lookups = 0;           // DNS questions of this message
    bool is_report = false;         // it says that it is a DMARC or TLS report
};

// Checks one message while it streams by. Questions to DNS go out as soon as they are known, on threads of their own:
// those about the client when the message begins, those for keys and policies when its header is whole. So finish()
// waits only for what DNS has not answered while the body came, and no longer than the time of the options, with a
// third of it more for DMARC. Single use; one thread calls it.
class Check {
public:
    // OPTIONS and DNS must outlive it; DNS is this message's own, since its deadline is set. KNOWN: what an earlier
    // message of the connection found.
    Check(const Options& options, Facts facts, DnsSource& dns, const std::optional<ClientFindings>& known = {});
    ~Check();
    Check(const Check&) = delete;
    Check& operator=(const Check&) = delete;

    void feed(std::string_view bytes) { message_.feed(bytes); }  // the message as it came, in pieces of any size
    Findings finish();

private:
    void check_client(bool is_known);
    void at_body(const HeaderFields& fields, BodyHashes& bodies);
    void ask_ahead(std::vector<std::string> keys, std::vector<std::string> authors);
    void run(std::thread& thread, std::function<void()> work);

    const Options& options_;
    const Facts facts_;
    MemoSource dns_;
    Findings findings_;
    dmarc::Authors authors_;
    dkim::Verification dkim_;
    arc::Validation arc_;
    StreamedMessage message_;
    std::atomic<bool> failed_{false};
    std::thread client_, ahead_;
};

// What the gate says to it.
struct Decision {
    enum class Action { Accept, Quarantine, Reject, Defer };
    Action action = Action::Accept;
    Mode mode = Mode::Enforce;  // that counted: the strictest of the author domains'
    std::string reply;          // text for the client, where it is Reject or Defer: ASCII
    std::string reason;         // for the log
};
std::string_view action_name(Decision::Action action) noexcept;
Decision decide(const Options& options, const Findings& findings, DnsSource& dns);

}  // namespace gk::mailauth::gate
