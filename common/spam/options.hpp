// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/config/config.hpp"
#include "common/spam/features.hpp"
#include "common/spam/model.hpp"
#include "common/spam/score.hpp"

// The settings under "spam.", and where models are.
namespace gk::spam {

// What all accounts share. An account's own model is in its home, beside the Maildir.
std::string shared_directory(const config::Paths& paths);

ModelOptions shared_options(const config::Config& config);
ModelOptions account_options(const config::Config& config);
FeatureLimits feature_limits(const config::Config& config);
Rules rules(const config::Config& config);

}  // namespace gk::spam
