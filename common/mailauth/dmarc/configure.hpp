// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "common/config/config.hpp"
#include "common/mailauth/dmarc/evaluate.hpp"

namespace gk::mailauth::dmarc {

// The settings dmarc.* as options, with the list that they point to. Opens a file: load it before a daemon closes
// itself in.
class Configured {
public:
    static Result<Configured> load(const config::Config& config);
    // Of the gk.toml below ROOT; the defaults where there is none, or none that this user may read.
    static Result<Configured> load(const std::string& root);

    // Good for the life of this.
    const Options& options() const noexcept { return options_; }

private:
    Options options_;
    std::unique_ptr<SuffixList> suffixes_;
};

}  // namespace gk::mailauth::dmarc
