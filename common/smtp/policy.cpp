// SPDX-License-Identifier: MIT
#include "common/smtp/policy.hpp"

namespace gk::smtp {

RecipientVerdict judge_recipient(const RecipientFacts& facts) {
    using Route = RecipientVerdict::Route;
    const Reply& delivery = facts.delivery;
    if (delivery.positive()) return {Route::Local, {250, "2.1.5", "ok"}};
    // cron and scripts send once: what gk-deliver cannot say now, the queue asks again.
    if (facts.local && delivery.transient()) return {Route::Remote, {250, "2.1.5", "ok"}};
    if (delivery.code != 551) return {Route::Refused, delivery};
    if (facts.authenticated || facts.may_relay) return {Route::Remote, {250, "2.1.5", "ok"}};
    if (facts.backup == RelayDomains::Answer::Taken) return {Route::Remote, {250, "2.1.5", "ok"}};
    if (facts.backup == RelayDomains::Answer::NoSuchRecipient)
        return {Route::Refused, {550, "5.1.1", "no such recipient in that domain"}};
    return {Route::Refused, {550, "5.7.1", "relaying denied"}};
}

}  // namespace gk::smtp
