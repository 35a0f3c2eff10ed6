// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/message/structure.hpp"

// Delivery status notifications as they come back: multipart/report (RFC 6522) with message/delivery-status (RFC 3464)
// or its internationalized form (RFC 6533). What strangers wrote: nothing in it is sure.
namespace gk::message {

struct DeliveryReport {
    struct Recipient {
        std::string original, final;  // addresses, without their type; empty where not given
        std::string action, status;   // "failed", "5.1.1"
        std::string diagnostic;       // without its type: "550 5.1.1 no such user"
    };
    std::string envelope_id;    // Original-Envelope-Id
    std::string reporting_mta;  // a name, without its type
    std::string message_id;     // of the returned message or header: "<1@a.test>"
    std::vector<Recipient> recipients;
};

constexpr std::size_t kMostReported = 100;  // recipients of one report; more are passed over

// Nothing where MESSAGE is no such report. All strings are of printable characters and at most 1,000 bytes.
std::optional<DeliveryReport> parse_delivery_report(std::string_view message, const Limits& limits = {});

}  // namespace gk::message
