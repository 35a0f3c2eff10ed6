// SPDX-License-Identifier: MIT
#pragma once

#include "common/mailauth/dmarc/evaluate.hpp"
#include "common/reports_log/observations.hpp"

namespace gk::mailauth::dmarc {

// What a report says of a message to which a policy applied: everything but the envelope, which the caller adds. The
// caller also corrects the disposition where it did something else, and adds the reason. Nothing where no record was
// found, since then nobody asked for reports.
std::optional<reports::DmarcObservation> observe(const Facts& facts, const Evaluation& evaluation);

}  // namespace gk::mailauth::dmarc
