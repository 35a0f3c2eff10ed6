// SPDX-License-Identifier: MIT
#include "common/spam/options.hpp"

namespace gk::spam {

namespace {

ModelOptions options(const config::Config& config, std::string_view features) {
    ModelOptions out;
    out.features = static_cast<std::size_t>(config.integer(features));
    out.messages = static_cast<std::size_t>(config.integer("spam.remember"));
    return out;
}

}  // namespace

// No domain's name begins with a dot.
std::string shared_directory(const config::Paths& paths) { return paths.mail + "/.spam"; }

ModelOptions shared_options(const config::Config& config) { return options(config, "spam.shared_features"); }
ModelOptions account_options(const config::Config& config) { return options(config, "spam.account_features"); }

FeatureLimits feature_limits(const config::Config& config) {
    FeatureLimits limits;
    limits.text = config.size("spam.text_size");
    limits.html = 4 * limits.text;
    limits.features = static_cast<std::size_t>(config.integer("spam.message_features"));
    return limits;
}

Rules rules(const config::Config& config) {
    Rules out;
    out.threshold = static_cast<double>(config.integer("spam.threshold")) / 100;
    out.least = static_cast<std::uint64_t>(config.integer("spam.least"));
    return out;
}

}  // namespace gk::spam
