// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/gate/check.hpp"
#include "common/smtp/reply.hpp"

namespace gk::smtp {

// Makes a source of DNS answers for one message.
using MakeDnsSource = std::function<std::unique_ptr<mailauth::DnsSource>()>;

// The gate of one connection from outside: who sent each of its messages, and whether he may.
class Inbound {
public:
    struct Places {
        const mailauth::gate::Options& options;
        const MakeDnsSource& dns;
        const std::string& hostname;
        std::string reports;  // directory of observations for DMARC reports; empty: none are sent
    };
    Inbound(Places places, const std::string& client_ip);

    // At the message's first octet; FEED gets it as it came.
    void begin(const std::string& helo, const std::string& mail_from);
    bool begun() const noexcept { return check_ != nullptr; }
    void feed(std::string_view bytes) { check_->feed(bytes); }

    struct Message {
        std::string id;
        std::vector<std::string> recipient_domains;  // each once
        bool utf8 = false;
    };
    struct Outcome {
        std::optional<Reply> refusal;
        std::vector<std::string> authentic;  // domains for which SPF passed or a signature fits
        std::string fields;                  // to be put in front of the message, above Received (RFC 8601, 4)
    };
    // The message is whole. Waits for DNS no longer than the options say; writes the event and what reports need.
    Outcome finish(const Message& message);
    void reset() noexcept { check_.reset(); }

private:
    void log(const Message& message, const mailauth::gate::Findings& findings,
             const mailauth::gate::Decision& decision) const;
    void observe(const Message& message, const mailauth::gate::Findings& findings,
                 const mailauth::gate::Decision& decision) const;

    const Places places_;
    const mailauth::Ip ip_;
    mailauth::gate::Facts facts_;
    std::optional<mailauth::gate::ClientFindings> client_;
    std::unique_ptr<mailauth::DnsSource> dns_;
    std::unique_ptr<mailauth::gate::Check> check_;
};

}  // namespace gk::smtp
