// SPDX-License-Identifier: MIT
#pragma once

#include "common/mailauth/dmarc/evaluate.hpp"

namespace gk::mailauth::dmarc {

// What is to be done with a message that failed: sets disposition and overrides of EVALUATION, whose policy is there.
void decide(const Facts& facts, const Options& options, Evaluation& evaluation);

}  // namespace gk::mailauth::dmarc
