// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace gk::smtp {

// Which user of this machine may write as whom (sendmail.senders): user = "ADDRESS @DOMAIN *", apart by spaces. A user
// is a name, a number, or "*" for those without a row of their own; whom no row fits may send nothing. root may all.
class LocalSenders {
public:
    // Config where a row names a user who does not exist.
    static Result<LocalSenders> from(const std::map<std::string, std::string>& table);
    // Denied where not.
    Status may_send_as(unsigned uid, std::string_view address) const;

private:
    std::map<unsigned, std::vector<std::string>> of_uid_;
    std::vector<std::string> of_others_;
};

}  // namespace gk::smtp
