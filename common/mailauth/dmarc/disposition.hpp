// SPDX-License-Identifier: MIT
#pragma once

#include "common/mailauth/dmarc/evaluate.hpp"

namespace gk::mailauth::dmarc {

// What is to be done with a message that failed: sets disposition and overrides of EVALUATION, whose policy is there.
void decide(const Facts& facts, const Options& options, Evaluation& evaluation);
// The same for one whose author is not sure, so that there is no policy to go by: POLICY, unless a forwarder whom we
// trust spares it.
void decide_without_policy(const Facts& facts, const Options& options, Policy policy, Evaluation& evaluation);

}  // namespace gk::mailauth::dmarc
