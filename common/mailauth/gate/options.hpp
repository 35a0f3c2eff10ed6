// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"
#include "common/mailauth/dmarc/configure.hpp"

// The gate of inbound mail: SPF, DKIM, ARC, DMARC and iprev together, and what follows from them. gk-smtpd asks it, and
// `gk-authres check` by hand.
namespace gk::mailauth::gate {

enum class Mode {
    Enforce,  // do as the domain's policy says
    Observe,  // check, write it down, and accept
    Off,      // check nothing
};
std::string_view mode_name(Mode mode) noexcept;

struct Options {
    static Result<std::shared_ptr<const Options>> from(const config::Config& config);

    Mode mode_of(std::string_view author_domain) const;  // by the nearest entry of `domains`, at it or above
    bool active() const noexcept;                        // whether anything is checked at all
    // authserv-ids that nobody else may use: fields that claim them are taken out of what arrives.
    const std::vector<std::string>& own_ids() const noexcept { return own_ids_; }

    const dmarc::Options& dmarc() const noexcept { return dmarc_.options(); }

    std::string authserv_id;
    Mode mode = Mode::Enforce;
    std::map<std::string, Mode> domains;  // by author domain
    // SPF alone refuses a message never; where the sender's domain says that it sends no mail at all; or at each fail.
    enum class SpfRefusal { Never, NoMail, Always } spf_refusal = SpfRefusal::NoMail;
    // 451 where DMARC could not be decided for now, although nothing is known to be at stake (dmarc::Evaluation).
    bool defer_temporary = false;
    bool check_loopback = false;
    std::chrono::milliseconds time{15'000};  // for all checks of one message; DMARC has a third more
    unsigned lookups = 150;                  // DNS questions of one message
    std::vector<std::string> trusted_sealers;

private:
    std::vector<std::string> own_ids_;
    dmarc::Configured dmarc_;
};

// Names that only gk itself may write, in lower case.
const std::vector<std::string>& own_fields() noexcept;

}  // namespace gk::mailauth::gate
