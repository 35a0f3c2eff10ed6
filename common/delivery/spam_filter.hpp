// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/config/config.hpp"
#include "common/spam/field.hpp"
#include "common/spam/options.hpp"

namespace gk::delivery {

// What is thought of a message before it is filed: by the model that all accounts share, and the account's own. Holds
// no file open, since another process may put a new table in its place; thread-safe.
class SpamFilter {
public:
    explicit SpamFilter(const config::Config& config);

    struct Opinion {
        std::string field;  // to be put in front of the message; empty: off, or nothing was learned yet
        bool junk = false;  // it belongs into Junk, unless somebody says otherwise
    };
    // Of FRONT and MESSAGE as they will be stored, for the account whose home that is. Trouble costs the opinion, not
    // the message.
    Opinion of(const std::string& home, std::string_view front, std::string_view message) const;

private:
    bool mark_ = false, file_ = false;
    std::string shared_;
    spam::FeatureLimits limits_;
    spam::Rules rules_;
};

}  // namespace gk::delivery
