// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <set>
#include <string>

#include "common/base/result.hpp"
#include "common/smtp/command.hpp"

namespace gk::smtp {

// Domains of others that this host is a backup MX for (smtp.relay_domains): their mail is accepted, and waits here for
// their own.
class RelayDomains {
public:
    // Values: "*" takes any recipient; else the local-parts that exist there, with blanks between.
    static Result<RelayDomains> parse(const std::map<std::string, std::string>& table);

    enum class Answer { NotOurs, Taken, NoSuchRecipient };
    // Local-parts are compared without regard to case (what we refuse wrongly is lost), and <postmaster> is always
    // there (RFC 5321, 4.5.1).
    Answer find(const Path& recipient) const;

private:
    struct Domain {
        bool any = false;
        std::set<std::string> local_parts;
    };
    std::map<std::string, Domain> domains_;  // by A-labels
};

}  // namespace gk::smtp
