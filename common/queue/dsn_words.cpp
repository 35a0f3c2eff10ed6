// SPDX-License-Identifier: MIT
#include "common/queue/dsn_words.hpp"

#include <iterator>

namespace gk::queue {
namespace {

struct Advice {
    std::string_view code;  // without its class; "7." is any of that subject
    std::string_view text;
};

constexpr std::string_view kTooLarge =
    "The message is too large for the recipient's server. Send less at a time, or a link to the file.";
constexpr std::string_view kUnreachable =
    "The recipient's mail server could not be reached. Check what stands behind the @; if that is right, try again "
    "later, or reach the recipient another way.";

// By RFC 3463, RFC 5248 and its registry; the first that fits.
constexpr Advice kFailures[] = {
    {"1.0", "Check the address for typing errors."},
    {"1.1", "Nobody has this address. Check it for typing errors, or ask the recipient for the right one."},
    {"1.2", "Check what stands behind the @ for typing errors: no mail server is found for it."},
    {"1.3", "The address is not well formed. Check it for typing errors."},
    {"1.6", "The recipient has moved. Ask for the new address."},
    {"1.8", "The recipient's server does not take mail from your address. Ask your postmaster."},
    {"1.10", "This domain takes no mail at all. Ask the recipient for another address."},
    {"2.1", "The mailbox takes no mail at present. Reach the recipient another way."},
    {"2.2", "The mailbox is full. Try again in some days, or reach the recipient another way."},
    {"2.3", kTooLarge},
    {"3.4", kTooLarge},
    {"4.1", kUnreachable},
    {"4.2", kUnreachable},
    {"4.3", kUnreachable},
    {"4.4", "Check what stands behind the @ for typing errors: its mail server is not found."},
    {"4.6", "The message goes in circles between servers. The recipient's postmaster has to mend that."},
    {"4.7", "It could not be delivered in all this time. Try again later, or reach the recipient another way."},
    {"6.3",
     "The recipient's server takes plain 7-bit text only, and this message cannot be rewritten without breaking "
     "its signature or contents. Send it without a signature, or as an attachment."},
    {"6.7", "The recipient's server takes no addresses with letters beyond a to z. Use, or ask for, a plain one."},
    {"6.9",
     "The recipient's server takes no mail whose addresses or header have letters beyond a to z. Write from "
     "and to plain addresses."},
    {"7.10", "You asked for encryption all the way, which is not to be had there. Send it without, or another way."},
    {"7.30", "You asked for encryption all the way, which is not to be had there. Send it without, or another way."},
    {"7.",
     "The recipient's server refused the message by its rules; the address may be right. If you think it "
     "should have been taken, ask the recipient another way, or your postmaster."},
};

}  // namespace

std::string_view subject_of(DsnAction action) noexcept {
    switch (action) {
        case DsnAction::Failed: return "Undelivered mail returned to sender";
        case DsnAction::Delayed: return "Mail delayed, still being tried";
        case DsnAction::Delivered: return "Mail delivered";
        case DsnAction::Relayed: return "Mail relayed";
        case DsnAction::Expanded: return "Mail delivered to a group";
    }
    return "";
}

std::string_view story_of(DsnAction action) noexcept {
    switch (action) {
        case DsnAction::Failed:
            return "Your message could not be delivered to the recipients below. It has been given\r\n"
                   "up for them, and they have not received it.\r\n";
        case DsnAction::Delayed:
            return "Your message has not been delivered to the recipients below yet. THIS IS ONLY A\r\n"
                   "WARNING: delivery is still being tried, and you need not send it again.\r\n";
        case DsnAction::Delivered:
            return "Your message has been delivered to the recipients below, as you asked to be told.\r\n";
        case DsnAction::Relayed:
            return "Your message has been passed on to the servers of the recipients below, which\r\n"
                   "cannot confirm delivery. You may hear nothing more.\r\n";
        case DsnAction::Expanded:
            return "Your message has been delivered to the addresses below and sent on to all whom\r\n"
                   "they stand for. You will hear again only if that fails for one of them.\r\n";
    }
    return "";
}

std::string_view advice_for(DsnAction action, std::string_view status) noexcept {
    if (action != DsnAction::Failed || status.size() < 4 || status[1] != '.') return {};
    const auto code = status.substr(2);
    for (const auto& each : kFailures)
        if (each.code == code || (each.code.back() == '.' && code.starts_with(each.code))) return each.text;
    return {};
}

}  // namespace gk::queue
