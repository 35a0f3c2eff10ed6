// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/lmtp_client/lmtp_client.hpp"
#include "common/queue/envelope.hpp"
#include "common/smtp/body.hpp"
#include "common/smtp/policy.hpp"
#include "common/smtp/session.hpp"

namespace gk::smtp {

// One message on its way: who gets it, its bytes, and the hand-over. Local recipients go to gk-deliver by LMTP,
// others to the spool; commit() says 250 only when all is durable (RFC 5321, 6.1).
class Transaction {
public:
    struct Places {
        lmtp_client::Pool& lmtp;
        MemoryBudget& memory;
        std::size_t memory_per_message;
        const std::string& spool;
    };
    explicit Transaction(const Places& places)
        : places_(places), body_(places.memory, places.memory_per_message, places.spool + "/tmp") {}
    ~Transaction() { reset(); }

    void begin(const Mail& mail, std::string trace_id);
    // FACTS come without the answer of gk-deliver, which is asked here.
    Reply recipient(const Rcpt& rcpt, RecipientFacts facts);
    // A failure is kept and answered by commit(), when the client has sent all.
    void write(std::string_view bytes);
    // PREFIX goes in front of the message: the fields that we add. ACCOUNT: the authenticated sender, or empty.
    Reply commit(const std::string& prefix, const std::string& account);
    void reset() noexcept;

    std::vector<std::string> recipient_domains() const;  // each once, in order

    const std::string& id() const noexcept { return id_; }
    std::size_t recipients() const noexcept { return recipients_.size(); }
    std::size_t local() const noexcept;
    std::size_t spooled() const noexcept { return spooled_; }
    std::uint64_t size() const noexcept { return body_.size(); }
    // Why the last reply was 4yz, where it was not gk-deliver's own: for the administrator, not for the client.
    const std::string& trouble() const noexcept { return trouble_; }
    std::string only_recipient() const { return recipients_.size() == 1 ? recipients_.front().address : std::string(); }

private:
    struct Recipient {
        std::string address;
        unsigned notify;
        std::string orcpt;
        bool local;
        unsigned session;          // which of our LMTP sessions knows it
        Reply outcome{0, {}, {}};  // of the hand-over; code 0: not handed over
    };

    lmtp_client::Sender sender() const;
    Result<lmtp_client::Reply> ask(const lmtp_client::Recipient& recipient);
    bool open_session(bool fresh);
    void deliver(const std::string& prefix);
    bool owes_notice(const Recipient& recipient) const;
    Status spool(const std::string& prefix, const std::string& account);

    Places places_;
    Mail mail_;
    std::string id_;
    std::vector<Recipient> recipients_;
    std::unique_ptr<lmtp_client::Session> lmtp_;
    unsigned session_ = 0;
    MessageBody body_;
    Status write_status_;
    std::string trouble_;
    std::size_t spooled_ = 0;
};

}  // namespace gk::smtp
