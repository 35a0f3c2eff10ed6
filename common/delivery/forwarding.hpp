// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/config/config.hpp"
#include "common/directory/directory.hpp"
#include "common/srs/srs.hpp"

namespace gk::delivery {

// The reverse-paths of what is sent on (SRS). Thread-safe.
class Forwarding {
public:
    // DIRECTORY says which domains are ours. Makes the secret where there is none; where that cannot be, and none can
    // be read, the log says so, and what needs it has to wait. With no place for keys nothing is rewritten.
    Forwarding(const config::Config& config, std::shared_ptr<directory::Directory> directory);

    // REVERSE_PATH (without <>) for a copy that leaves our domains because an address of DOMAIN sent it on: by an
    // alias, or by a redirect of its Sieve script. The same where it is null or of a domain of ours, for which the next
    // server's SPF passes as it is. Temporary where the secret cannot be read.
    Result<std::string> reverse_path(const std::string& reverse_path, std::string_view domain) const;

    // Whom a recipient stands for that we made so; nothing where its local-part is not of that form. Denied where the
    // hash does not fit, or it is too old; Temporary where the secret cannot be read.
    std::optional<Result<std::string>> original(std::string_view recipient) const;

private:
    bool rewrites_ = true, available_ = false;
    std::string domain_;
    std::int64_t max_age_s_ = 0;
    std::shared_ptr<directory::Directory> directory_;
    std::shared_ptr<srs::Secrets> secrets_;
};

// The fields that a list puts in front of its messages (RFC 2919, RFC 2369).
std::string list_fields(const directory::Alias& list);
// "staff.a.test", as in List-Id.
std::string list_id(const directory::Alias& list);
// MESSAGE without the List- fields and Precedence of a list before ours (RFC 2919, 3: one List-Id); nothing where it
// has none, and may be used as it is.
std::optional<std::string> without_list_fields(std::string_view message);
// That of a message which a list sent, in lower case; empty for none.
std::string list_id_of(std::string_view message);

}  // namespace gk::delivery
